package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// flight is a question under way; others that ask the same wait for it. It has a
// time of its own, and ends when nobody waits any more.
type flight struct {
	done    chan struct{}
	answer  answer // once done is closed
	cancel  context.CancelFunc
	waiting int // guarded by Resolver.mu
}

var errSlow = errors.New("name server is slow")

// fetch asks the name servers, once for all who ask the same at the same time.
func (r *Resolver) fetch(ctx context.Context, q question, patient bool) answer {
	f := r.join(q)
	defer r.leave(q, f)
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
		return r.cache.put(q, answer{err: errSlow}, r.cfg.Now())
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	}
}

func (r *Resolver) join(q question) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.flights[q]
	if f == nil {
		ctx, cancel := context.WithTimeout(context.Background(), r.cfg.Timeout)
		f = &flight{done: make(chan struct{}), cancel: cancel}
		r.flights[q] = f
		go r.fly(ctx, q, f)
	}
	f.waiting++
	return f
}

// leave ends a flight for which nobody waits any more, and waits for its end.
func (r *Resolver) leave(q question, f *flight) {
	r.mu.Lock()
	f.waiting--
	last := f.waiting == 0
	if last && r.flights[q] == f {
		delete(r.flights, q)
	}
	r.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}

func (r *Resolver) fly(ctx context.Context, q question, f *flight) {
	defer close(f.done)
	a := r.exchange(ctx, q)
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := r.flights[q] == f
	if wanted {
		delete(r.flights, q)
	}
	if f.answer = a; wanted || a.err == nil {
		f.answer = r.cache.put(q, a, r.cfg.Now())
	}
}

// exchange tries the names that the search list allows, in order.
func (r *Resolver) exchange(ctx context.Context, q question) answer {
	conf := r.servers()
	last := answer{err: errors.New("no name server configured")}
	for _, name := range conf.NameList(q.name) {
		last = r.exchangeName(ctx, conf, name, q.kind)
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
func (r *Resolver) exchangeName(ctx context.Context, conf *dns.ClientConfig, name string, kind uint16) answer {
	err := errors.New("no name server configured")
	for range 2 {
		for _, server := range conf.Servers {
			var reply *dns.Msg
			if reply, err = exchangeOnce(ctx, server, name, kind); err == nil {
				return read(reply, kind, r.cfg.Now())
			}
			if ctx.Err() != nil {
				return answer{err: err}
			}
		}
	}
	return answer{err: err}
}

func exchangeOnce(ctx context.Context, server, name string, kind uint16) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.SetEdns0(1232, false)
	reply, err := ask(ctx, "udp", server, m)
	if err == nil && reply.Rcode == dns.RcodeFormatError { // a server from before EDNS
		m.Extra = nil
		reply, err = ask(ctx, "udp", server, m)
	}
	if err == nil && reply.Truncated {
		reply, err = ask(ctx, "tcp", server, m)
	}
	switch {
	case err != nil:
		return nil, err
	case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("name server %s: %s", server, dns.RcodeToString[reply.Rcode])
	}
	return reply, nil
}

func ask(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	c := dns.Client{Net: network, Timeout: tryTimeout}
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

// servers returns the name servers as host:port and the search list.
func (r *Resolver) servers() *dns.ClientConfig {
	r.dnsOnce.Do(func() {
		if len(r.cfg.Servers) > 0 {
			r.dns = &dns.ClientConfig{Servers: r.cfg.Servers, Ndots: 1}
			return
		}
		conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil {
			r.log.Warn("no name servers", "error", err)
			conf = &dns.ClientConfig{Ndots: 1}
		}
		for i, s := range conf.Servers {
			conf.Servers[i] = net.JoinHostPort(s, conf.Port)
		}
		r.dns = conf
	})
	return r.dns
}
