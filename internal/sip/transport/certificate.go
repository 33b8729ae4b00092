package transport

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"sidetrack/internal/sip"
)

// Authority says which certificates vouch for a peer.
type Authority struct {
	Roots *x509.CertPool // who must have signed it; nil: the system's authorities
	Names []string       // it must bear one of these; *.example.com is every name one level below. Empty: any
}

// Why an Authority does not vouch for a peer, beside what package x509 says.
var (
	ErrNoCertificate = errors.New("no certificate was shown")
	ErrOtherName     = errors.New("the certificate bears none of the names")
)

// Check tells until when the chain that a peer has shown vouches for it. That the
// peer has the key has been seen in the handshake. A SIP server shows the same
// certificate whether it calls or is called, so that one for either will do.
func (a *Authority) Check(chain []*x509.Certificate, now time.Time) (until time.Time, err error) {
	if len(chain) == 0 {
		return now, ErrNoCertificate
	}
	leaf := chain[0]
	opt := x509.VerifyOptions{
		Roots: a.Roots, Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if slices.ContainsFunc(leaf.UnknownExtKeyUsage, sipDomain.Equal) {
		opt.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny}
	}
	for _, c := range chain[1:] {
		opt.Intermediates.AddCert(c)
	}
	verified, err := leaf.Verify(opt)
	if err != nil {
		return now, err
	}
	if !a.Bears(leaf) {
		return now, ErrOtherName
	}
	until = leaf.NotAfter
	for _, c := range verified[0] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until, nil
}

// Bears tells whether a certificate bears one of the names, whoever has signed it.
// An address among the names is borne as one, not as a domain.
func (a *Authority) Bears(leaf *x509.Certificate) bool {
	return len(a.Names) == 0 || slices.ContainsFunc(DomainsOf(leaf), a.named) ||
		slices.ContainsFunc(leaf.IPAddresses, func(ip net.IP) bool { return slices.Contains(a.Names, ip.String()) })
}

var (
	sipDomain      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 20} // the extended key usage of RFC 5924 §3
	subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

func (a *Authority) named(name string) bool {
	return slices.ContainsFunc(a.Names, func(want string) bool {
		if suffix, all := strings.CutPrefix(want, "*."); all {
			_, parent, _ := strings.Cut(name, ".")
			return parent != "" && strings.EqualFold(parent, suffix)
		}
		return strings.EqualFold(name, want)
	})
}

// DomainsOf are the SIP domains that a certificate is for (RFC 5922 §7.1): its
// subjectAltName's sip: URIs without a user, and DNS names; the common name counts
// only where there is no subjectAltName. Wildcards stand for nothing (§7.2).
func DomainsOf(c *x509.Certificate) (names []string) {
	add := func(name string) {
		if name != "" && !strings.Contains(name, "*") {
			names = append(names, strings.TrimSuffix(name, "."))
		}
	}
	for _, u := range c.URIs {
		if p, err := sip.ParseURI(u.String()); err == nil && p.Scheme == "sip" && p.User == "" {
			add(p.Host)
		}
	}
	for _, name := range c.DNSNames {
		add(name)
	}
	if !slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return subjectAltName.Equal(e.Id) }) {
		add(c.Subject.CommonName)
	}
	return names
}

// PeerChain is what the peer of a TLS connection has shown, its own certificate
// first, whoever has signed it; nil where there is none.
func (t *Layer) PeerChain(f Flow) []*x509.Certificate {
	state, ok := t.tlsState(f)
	if !ok {
		return nil
	}
	return state.PeerCertificates
}

// PeerCertificate is the certificate that the peer of a TLS connection has shown
// and that has been verified; nil where there is none.
func (t *Layer) PeerCertificate(f Flow) *x509.Certificate {
	if state, ok := t.tlsState(f); ok && len(state.VerifiedChains) > 0 {
		return state.VerifiedChains[0][0]
	}
	return nil
}

func (t *Layer) tlsState(f Flow) (state tls.ConnectionState, ok bool) {
	t.mu.RLock()
	c := t.conns[f.Conn]
	t.mu.RUnlock()
	if c == nil {
		return state, false
	}
	tc, ok := c.nc.(*tls.Conn)
	if !ok {
		return state, false
	}
	return tc.ConnectionState(), true
}
