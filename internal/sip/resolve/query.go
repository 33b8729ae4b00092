package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// flight is a question under way; others that ask the same wait for it. It goes on
// when nobody waits any more: its answer, or the trouble with it, is for who asks next.
type flight struct {
	done   chan struct{}
	answer answer // once done is closed
}

var errSlow = errors.New("name server is slow")

// fetch asks the name servers, once for all who ask the same at the same time.
func (r *Resolver) fetch(ctx context.Context, q question, patient bool) answer {
	f := r.join(q)
	var late <-chan time.Time
	if !patient && r.cache.mayStand(q, r.cfg.Now()) {
		t := time.NewTimer(r.cfg.Stale)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-f.done:
		return f.answer
	case <-late:
		return r.cache.late(q, r.cfg.Now())
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

func (r *Resolver) join(q question) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flights[q]
	if f != nil {
		return f
	}
	f = &flight{done: make(chan struct{})}
	if err := r.ctx.Err(); err != nil {
		f.answer.err = err
		close(f.done)
		return f
	}
	r.flights[q] = f
	r.flying.Go(func() { r.fly(q, f) })
	return f
}

func (r *Resolver) fly(q question, f *flight) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Timeout)
	defer cancel()
	a := r.exchange(ctx, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.flights, q)
	f.answer = r.cache.put(q, a, r.cfg.Now())
}

var errNoServer = errors.New("no name server configured")

// exchange tries the names that the search list allows, in order.
func (r *Resolver) exchange(ctx context.Context, q question) answer {
	last := answer{err: errNoServer}
	for _, name := range r.servers.names(q.name) {
		last = r.exchangeName(ctx, name, q.kind)
		if last.err != nil || !last.empty() {
			break
		}
	}
	if last.err != nil {
		r.log.Debug("name servers failed", "name", q.name, "type", dns.TypeToString[q.kind], "error", last.err)
	}
	return last
}

// exchangeName asks each server twice at most.
func (r *Resolver) exchangeName(ctx context.Context, name string, kind uint16) answer {
	err := errNoServer
	for range 2 {
		for _, server := range r.servers.inOrder(r.cfg.Now()) {
			var reply *dns.Msg
			if reply, err = r.exchangeOnce(ctx, server, name, kind); err != nil && ctx.Err() != nil {
				return answer{err: err}
			}
			r.servers.heard(server, reply != nil, r.cfg.Now())
			if err == nil {
				return read(reply, kind, r.cfg.Now())
			}
		}
	}
	return answer{err: err}
}

// exchangeOnce asks one server. The reply that comes with an error says that there is one.
func (r *Resolver) exchangeOnce(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.SetEdns0(1232, false)
	reply, err := r.ask(ctx, "udp", server, m)
	if err == nil && reply.Rcode == dns.RcodeFormatError { // a server from before EDNS
		m.Extra = nil
		reply, err = r.ask(ctx, "udp", server, m)
	}
	if err == nil && reply.Truncated {
		reply, err = r.ask(ctx, "tcp", server, m)
	}
	switch {
	case err != nil:
		return nil, err
	case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return reply, fmt.Errorf("name server %s: %s", server, dns.RcodeToString[reply.Rcode])
	case refers(reply):
		return reply, fmt.Errorf("name server %s: refers to others", server)
	}
	return reply, nil
}

// refers tells a referral from the absence of records (RFC 2308 §2.2): the server
// neither knows the name nor asks others for us.
func refers(reply *dns.Msg) bool {
	some := false
	for _, rr := range reply.Ns {
		some = some || rr.Header().Rrtype == dns.TypeNS
		if rr.Header().Rrtype == dns.TypeSOA {
			return false
		}
	}
	return some && len(reply.Answer) == 0 && reply.Rcode == dns.RcodeSuccess && !reply.Authoritative
}

func (r *Resolver) ask(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	c := dns.Client{Net: network, Timeout: r.cfg.Try}
	conn, err := c.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // the library goes by the deadline alone
	reply, _, err := c.ExchangeWithConnContext(ctx, m, conn)
	return reply, err
}

// Of an answer, which may have thousands, so many are used: each server has addresses
// of its own to be asked for, and each call goes through them all.
const (
	maxAddresses = 32
	maxServers   = 16 // SRV, the first by priority
	maxServices  = 4  // NAPTR that name SIP, the first by order
)

// read takes the records of one type, CNAMEs having been followed by the server.
func read(reply *dns.Msg, kind uint16, now time.Time) answer {
	var a answer
	ttl := maxTTL
	for _, rr := range reply.Answer {
		ttl = min(ttl, seconds(rr.Header().Ttl))
		switch rr := rr.(type) {
		case *dns.A:
			if addr, ok := netip.AddrFromSlice(rr.A.To4()); ok && kind == dns.TypeA {
				a.addrs = append(a.addrs, addr)
			}
		case *dns.AAAA:
			if addr, ok := netip.AddrFromSlice(rr.AAAA.To16()); ok && kind == dns.TypeAAAA {
				a.addrs = append(a.addrs, addr)
			}
		case *dns.SRV:
			if target := plainName(rr.Target); target != "" { // "." means: not offered here (RFC 2782)
				a.srv = append(a.srv, srv{target, rr.Port, rr.Priority, rr.Weight})
			}
		case *dns.NAPTR:
			next, service := plainName(rr.Replacement), strings.ToUpper(rr.Service)
			if _, spoken := protocols[service]; spoken && strings.EqualFold(rr.Flags, "s") && next != "" {
				a.naptr = append(a.naptr, naptr{service, next, rr.Order, rr.Preference})
			}
		}
	}
	if a.empty() {
		ttl = negative(reply)
	}
	slices.SortStableFunc(a.srv, func(a, b srv) int { return int(a.priority) - int(b.priority) })
	slices.SortStableFunc(a.naptr, func(a, b naptr) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.preference, b.preference))
	})
	a.addrs = a.addrs[:min(len(a.addrs), maxAddresses)]
	a.srv = a.srv[:min(len(a.srv), maxServers)]
	a.naptr = a.naptr[:min(len(a.naptr), maxServices)]
	a.expires = now.Add(max(ttl, minTTL))
	return a
}

// negative is how long the absence of a name holds (RFC 2308 §5).
func negative(reply *dns.Msg) time.Duration {
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(seconds(soa.Minttl), seconds(soa.Hdr.Ttl), maxNegative)
		}
	}
	return negativeTTL
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
