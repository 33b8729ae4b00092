package b2bua

import (
	"crypto/x509"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sidetrack/internal/sip/transport"
)

// Door says who may start a dialog by a listener. Any of the three will do; where
// none is set everyone may.
type Door struct {
	Networks  []netip.Prefix       // by address
	Authority *transport.Authority // by TLS certificate; nil: none will do
	Auth      *Auth                // asks others who they are; nil: they get 403
}

func (d Door) open() bool { return len(d.Networks) == 0 && d.Authority == nil && d.Auth == nil }

// knows tells whether who sent by that flow may start a dialog without being asked
// who he is: by his address, or by his certificate.
func (s *Server) knows(d Door, f transport.Flow, now time.Time) bool {
	addr := f.Remote.Addr().Unmap()
	if slices.ContainsFunc(d.Networks, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return true
	}
	return d.Authority != nil && f.Proto == "tls" && s.vouched(d.Authority, f, now)
}

// vouched tells whether a certificate vouches for the peer of a connection.
func (s *Server) vouched(by *transport.Authority, f transport.Flow, now time.Time) bool {
	k := voucher{by, f.Conn}
	if until, known := s.vouchers.of(k); known && now.Before(until.at) {
		return until.good
	}
	chain := s.cfg.Transport.PeerChain(f)
	until, err := by.Check(chain, now)
	s.vouchers.put(k, validity{until, err == nil}, now)
	if err != nil && len(chain) > 0 {
		s.cfg.OnReject("certificate")
		s.cfg.Log.Warn("certificate not trusted", "source", f.Remote.String(), "names", transport.DomainsOf(chain[0]), "error", plainFault(err))
	}
	return err == nil
}

// plainFault leaves out of an error what a peer has put into its certificate.
func plainFault(err error) string {
	switch err := err.(type) {
	case x509.UnknownAuthorityError:
		return "signed by another authority"
	case x509.CertificateInvalidError:
		if err.Reason == x509.Expired {
			return "expired or not yet valid"
		}
		return "not valid for this"
	}
	return err.Error()
}

// vouchers remember which certificates have been checked, so that not every call
// by a connection costs signatures. Two generations of bounded size; the lock is a
// leaf.
type vouchers struct {
	mu          sync.Mutex
	now, before map[voucher]validity
}

type voucher struct {
	by   *transport.Authority // as of this configuration
	conn uint64
}

// validity is a judgement and how long it holds.
type validity struct {
	at   time.Time
	good bool
}

const (
	maxVouchers = 1 << 12
	refusalAge  = 10 * time.Second // a clock that was wrong may be set meanwhile
)

func (v *vouchers) of(k voucher) (validity, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if got, ok := v.now[k]; ok {
		return got, true
	}
	got, ok := v.before[k]
	return got, ok
}

func (v *vouchers) put(k voucher, is validity, now time.Time) {
	if !is.good {
		is.at = now.Add(refusalAge)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now == nil || len(v.now) >= maxVouchers {
		v.before, v.now = v.now, map[voucher]validity{}
	}
	v.now[k] = is
}
