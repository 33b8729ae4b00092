package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// flight is a question under way; others that ask the same wait for it.
type flight struct {
	done   chan struct{}
	answer answer
}

// fetch asks the name servers, once for all who ask the same at the same time.
func (r *Resolver) fetch(ctx context.Context, q question) answer {
	r.mu.Lock()
	f, running := r.flights[q]
	if !running {
		f = &flight{done: make(chan struct{})}
		r.flights[q] = f
	}
	r.mu.Unlock()
	if !running {
		f.answer = r.cache.put(q, r.exchange(ctx, q), time.Now())
		r.mu.Lock()
		delete(r.flights, q)
		r.mu.Unlock()
		close(f.done)
		return f.answer
	}
	select {
	case <-f.done:
		return f.answer
	case <-ctx.Done():
		return answer{err: ctx.Err()}
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
		last.expires = time.Now().Add(troubleTTL)
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
				return read(reply, kind)
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
	reply, _, err := c.ExchangeContext(ctx, m, server)
	return reply, err
}

// read takes the records of one type, CNAMEs having been followed by the server.
func read(reply *dns.Msg, kind uint16) answer {
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
			if next := plainName(rr.Replacement); strings.EqualFold(rr.Flags, "s") && next != "" {
				a.naptr = append(a.naptr, naptr{strings.ToUpper(rr.Service), next, rr.Order, rr.Preference})
			}
		}
	}
	if a.empty() {
		ttl = negative(reply)
	}
	a.expires = time.Now().Add(max(ttl, minTTL))
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
