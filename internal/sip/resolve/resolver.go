package resolve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"sidetrack/internal/sip"
)

const (
	defaultTimeout = 5 * time.Second
	tryTimeout     = 1500 * time.Millisecond // one server, one question
	maxRounds      = 4                       // NAPTR, SRV, addresses, and one to spare
)

// Config is what a Resolver needs to know; the zero value uses the system's settings.
type Config struct {
	Log     *slog.Logger  // nil: no logs
	Timeout time.Duration // one Lookup in all; default 5 s
	Servers []string      // name servers as host:port; empty: those of /etc/resolv.conf
	Hosts   string        // hosts file; default /etc/hosts
	// Pretend gives every name an address that is nobody's (RFC 5737, RFC 3849)
	// and asks no name server.
	Pretend bool
}

// Endpoint is one place to try.
type Endpoint struct {
	Proto string // "udp", "tcp" or "tls"
	Addr  netip.AddrPort
	Host  string // the URI's host, against which a TLS certificate is checked (RFC 5922 §4)
}

// What a Lookup can fail with; the errors it returns wrap one of these or the
// name server's trouble.
var (
	ErrNotFound    = errors.New("name has no address")
	ErrUnsupported = errors.New("URI cannot be reached over UDP, TCP or TLS")
)

// Resolver turns SIP URIs into addresses. Its methods may be called from any
// goroutine.
type Resolver struct {
	cfg   Config
	log   *slog.Logger
	hosts hostsFile
	cache cache

	dnsOnce sync.Once
	dns     *dns.ClientConfig

	mu      sync.Mutex
	flights map[question]*flight
}

// New returns a resolver. Nothing is read or asked yet.
func New(cfg Config) *Resolver {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Hosts == "" {
		cfg.Hosts = "/etc/hosts"
	}
	return &Resolver{
		cfg:     cfg,
		log:     cfg.Log,
		hosts:   hostsFile{path: cfg.Hosts},
		flights: make(map[question]*flight),
	}
}

// Lookup returns the endpoints of u in the order in which to try them, SRV
// records of equal priority being drawn anew each time (RFC 2782). It waits
// for name servers, at most Config.Timeout.
func (r *Resolver) Lookup(ctx context.Context, u sip.URI) ([]Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	known := make(map[question]answer)
	for range maxRounds {
		p := r.evaluate(u, func(q question) (answer, bool) {
			if a, ok := known[q]; ok {
				return a, true
			}
			return r.remembered(q)
		})
		if len(p.open) == 0 {
			return p.result(u)
		}
		r.fetchAll(ctx, p.open, known)
	}
	return nil, fmt.Errorf("resolving %s: %w", u.Host, ErrNotFound)
}

// Known returns the endpoints of u when no question has to be asked: for
// numeric hosts, for those of the hosts file, and while the answers are in the cache.
func (r *Resolver) Known(u sip.URI) ([]Endpoint, bool) {
	p := r.evaluate(u, r.remembered)
	if len(p.open) > 0 || p.err != nil || len(p.found) == 0 {
		return nil, false
	}
	return p.found, true
}

// remembered is the answer to a question that need not be asked now.
func (r *Resolver) remembered(q question) (answer, bool) {
	switch {
	case !r.cfg.Pretend:
		return r.cache.get(q, time.Now())
	case q.kind == dns.TypeA:
		return answer{addrs: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}}, true
	case q.kind == dns.TypeAAAA:
		return answer{addrs: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}, true
	}
	return answer{}, true
}

// fetchAll asks all questions at once and puts the answers into known.
func (r *Resolver) fetchAll(ctx context.Context, qs []question, known map[question]answer) {
	answers := make([]answer, len(qs))
	var wg sync.WaitGroup
	for i, q := range qs {
		wg.Go(func() { answers[i] = r.fetch(ctx, q) })
	}
	wg.Wait()
	for i, q := range qs {
		known[q] = answers[i]
	}
}
