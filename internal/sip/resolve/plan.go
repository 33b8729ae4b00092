package resolve

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"sidetrack/internal/sip"
)

// question is one thing to ask a name server.
type question struct {
	name string // lower case, without the final dot
	kind uint16 // dns.TypeA and so on
}

// maxEndpoints is more than anybody tries.
const maxEndpoints = 64

// plan is where a lookup stands: what it found and what it must still ask.
type plan struct {
	found   []Endpoint
	open    []question
	err     error
	trouble error // of a name server, told when nothing was found

	resolver *Resolver
	ask      func(question) (answer, bool)
	host     string
}

// evaluate applies RFC 3263 §4.1 and §4.2 to what ask knows.
func (r *Resolver) evaluate(u sip.URI, ask func(question) (answer, bool)) *plan {
	p := &plan{resolver: r, ask: ask, host: u.Host}
	host := hostOf(u)
	proto, err := protoOf(u)
	if err != nil || host == "" {
		p.err = ErrUnsupported
		return p
	}
	if e, ok := numeric(u); ok {
		p.found = append(p.found, e)
		return p
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, local := r.hosts.lookup(host)
	if u.Port == 0 && !local && p.services(u, host) {
		return p
	}
	if len(p.open) > 0 {
		return p
	}
	for _, addr := range p.addresses(host) {
		p.found = append(p.found, endpoint(proto, addr, u))
	}
	return p
}

// hostOf is the host that a request for a URI goes to.
func hostOf(u sip.URI) string {
	if maddr, ok := u.Params.Get("maddr"); ok && maddr != "" {
		return strings.Trim(maddr, "[]")
	}
	return u.Host
}

// numeric is the endpoint of a URI that needs no name to be looked up.
func numeric(u sip.URI) (e Endpoint, ok bool) {
	addr, err := netip.ParseAddr(hostOf(u))
	if err != nil {
		return Endpoint{}, false
	}
	proto, err := protoOf(u)
	if err != nil {
		return Endpoint{}, false
	}
	return endpoint(proto, addr, u), true
}

// protoOf is the protocol when neither NAPTR nor SRV has a say (§4.1).
func protoOf(u sip.URI) (string, error) {
	secure := u.Scheme == "sips"
	if u.Scheme != "sip" && !secure {
		return "", ErrUnsupported
	}
	switch t := u.Transport(); {
	case t == "" && !secure, t == "udp" && !secure:
		return "udp", nil
	case t == "tcp" && !secure:
		return "tcp", nil
	case t == "tls", t == "tcp", t == "":
		return "tls", nil
	}
	return "", ErrUnsupported
}

// service is an SRV name and the protocol its servers speak.
type service struct{ proto, name string }

// services looks for SRV records, by way of NAPTR when the URI leaves the
// protocol open, and reports whether there are any.
func (p *plan) services(u sip.URI, host string) bool {
	list := defaultServices(u, host)
	if u.Transport() == "" {
		naptr, ok := p.get(question{host, dns.TypeNAPTR})
		if named := offered(naptr.naptr, u.Scheme == "sips"); ok && len(named) > 0 {
			list = named
		}
	}
	some := false
	for _, s := range list {
		a, _ := p.get(question{s.name, dns.TypeSRV})
		for _, rec := range drawn(a.srv) {
			some = true
			for _, addr := range p.addresses(rec.target) {
				if len(p.found) < maxEndpoints {
					p.found = append(p.found, Endpoint{Proto: s.proto, Addr: netip.AddrPortFrom(addr, rec.port), Host: p.host})
				}
			}
		}
	}
	return some
}

func defaultServices(u sip.URI, host string) []service {
	udp := service{"udp", "_sip._udp." + host}
	tcp := service{"tcp", "_sip._tcp." + host}
	tls := service{"tls", "_sips._tcp." + host}
	proto, _ := protoOf(u)
	switch {
	case proto == "tls":
		return []service{tls}
	case proto == "tcp":
		return []service{tcp}
	case u.Transport() == "udp":
		return []service{udp}
	}
	return []service{udp, tcp}
}

// protocols are those of the services of RFC 3263 §4.1 that we speak.
var protocols = map[string]string{"SIPS+D2T": "tls", "SIP+D2U": "udp", "SIP+D2T": "tcp"}

// offered picks from NAPTR records, which are in order (RFC 3263 §4.1).
func offered(records []naptr, secure bool) []service {
	var list []service
	for _, n := range records {
		if proto := protocols[n.service]; !secure || proto == "tls" {
			list = append(list, service{proto, n.name})
		}
	}
	return list
}

// addresses returns the A and then the AAAA records of a name.
func (p *plan) addresses(name string) []netip.Addr {
	if addrs, ok := p.resolver.hosts.lookup(name); ok {
		return addrs
	}
	a, _ := p.get(question{name, dns.TypeA})
	aaaa, _ := p.get(question{name, dns.TypeAAAA})
	return append(slices.Clone(a.addrs), aaaa.addrs...)
}

// get returns an answer or notes that it must be asked for.
func (p *plan) get(q question) (answer, bool) {
	a, ok := p.ask(q)
	switch {
	case !ok && !slices.Contains(p.open, q):
		p.open = append(p.open, q)
	case a.err != nil:
		p.trouble = a.err
	}
	return a, ok
}

func endpoint(proto string, addr netip.Addr, u sip.URI) Endpoint {
	port := u.Port
	if port == 0 {
		port = 5060
		if proto == "tls" {
			port = 5061
		}
	}
	return Endpoint{Proto: proto, Addr: netip.AddrPortFrom(addr.Unmap(), uint16(port)), Host: u.Host}
}

func (p *plan) result(u sip.URI) ([]Endpoint, error) {
	switch {
	case p.err != nil:
		return nil, fmt.Errorf("resolving %s: %w", u, p.err)
	case len(p.found) > 0:
		return p.found, nil
	case p.trouble != nil:
		return nil, fmt.Errorf("resolving %s: %w", u.Host, p.trouble)
	}
	return nil, fmt.Errorf("resolving %s: %w", u.Host, ErrNotFound)
}

// drawn orders SRV records by priority and draws by weight among equals (RFC 2782).
func drawn(records []srv) []srv {
	left := slices.Clone(records)
	slices.SortStableFunc(left, func(a, b srv) int { return int(a.priority) - int(b.priority) })
	ordered := make([]srv, 0, len(left))
	for len(left) > 0 {
		i := draw(left)
		ordered = append(ordered, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return ordered
}

// draw picks one of the records of the lowest priority, which stand first.
func draw(records []srv) int {
	sum, n := 0, 0
	for n < len(records) && records[n].priority == records[0].priority {
		sum += int(records[n].weight)
		n++
	}
	if sum == 0 {
		return rand.IntN(n)
	}
	pick := rand.IntN(sum + 1)
	for i := range n {
		if pick -= int(records[i].weight); pick <= 0 {
			return i
		}
	}
	return n - 1
}
