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
	defaultTry     = 1500 * time.Millisecond
	maxRounds      = 4           // NAPTR, SRV, addresses, and one to spare
	maxAtOnce      = 8           // questions of one lookup
	defaultStale   = time.Second // RFC 8767 §5 has 1.8 s; a call waits here
)

// Config is what a Resolver needs to know; the zero value uses the system's settings.
type Config struct {
	Log     *slog.Logger  // nil: no logs
	Timeout time.Duration // one Lookup in all; default 5 s
	Try     time.Duration // one question to one name server; default 1.5 s
	Stale   time.Duration // how long a Lookup waits for a better answer than an old one; default 1 s
	Servers []string      // name servers as host:port; empty: those of Conf
	Conf    string        // file of name servers and search list; default /etc/resolv.conf
	Hosts   string        // hosts file; default /etc/hosts
	// Pretend gives every name an address that is nobody's (RFC 5737, RFC 3849)
	// and asks no name server.
	Pretend bool

	Now func() time.Time // by which answers grow old; nil: time.Now
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

	servers *servers

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	flying sync.WaitGroup // every flight

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
	if cfg.Try <= 0 {
		cfg.Try = defaultTry
	}
	if cfg.Stale <= 0 {
		cfg.Stale = defaultStale
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Conf == "" {
		cfg.Conf = "/etc/resolv.conf"
	}
	if cfg.Hosts == "" {
		cfg.Hosts = "/etc/hosts"
	}
	r := &Resolver{
		cfg:     cfg,
		log:     cfg.Log,
		hosts:   hostsFile{path: cfg.Hosts},
		servers: newServers(cfg),
		flights: make(map[question]*flight),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Close ends the questions that are under way, and waits for them. What is asked
// afterwards fails.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.flying.Wait()
}

// Lookup returns the endpoints of u in the order in which to try them, SRV
// records of equal priority being drawn anew each time (RFC 2782). It waits
// for name servers, at most Config.Timeout, and Config.Stale for a question to which an
// old answer is known, or with which there was trouble a moment ago.
func (r *Resolver) Lookup(ctx context.Context, u sip.URI) ([]Endpoint, error) {
	return r.lookup(ctx, u, r.remembered, false)
}

// Refresh asks all questions of u again, for the calls to come. It waits for name
// servers, at most Config.Timeout.
func (r *Resolver) Refresh(ctx context.Context, u sip.URI) {
	_, _ = r.lookup(ctx, u, func(question) (answer, bool) { return answer{}, false }, true)
}

// lookup asks what ask does not know; patient: whatever is known of old.
func (r *Resolver) lookup(ctx context.Context, u sip.URI, ask func(question) (answer, bool), patient bool) ([]Endpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	known := make(map[question]answer)
	for range maxRounds {
		p := r.evaluate(u, func(q question) (answer, bool) {
			if a, ok := known[q]; ok {
				return a, true
			}
			return ask(q)
		})
		if len(p.open) == 0 {
			return p.result(u)
		}
		r.fetchAll(ctx, p.open, known, patient)
	}
	return nil, fmt.Errorf("resolving %s: %w", u.Host, ErrNotFound)
}

// Known returns the endpoints of u when nobody has to wait for a name server: for
// numeric hosts, for those of the hosts file, while the answers are in the cache, and
// while old ones stand in because a name server has failed to tell better. due is
// then true now and then: Refresh is to be called, where that may wait.
func (r *Resolver) Known(u sip.URI) (found []Endpoint, ok, due bool) {
	if e, ok := numeric(u); ok {
		return []Endpoint{e}, true, false
	}
	return r.knownName(u)
}

func (r *Resolver) knownName(u sip.URI) (found []Endpoint, ok, due bool) {
	p := r.evaluate(u, func(q question) (answer, bool) {
		if a, ok := r.remembered(q); ok {
			return a, true
		}
		a, ok, again := r.cache.standing(q, r.cfg.Now())
		due = due || again
		return a, ok
	})
	if len(p.open) > 0 || p.err != nil || len(p.found) == 0 {
		return nil, false, false
	}
	return p.found, true, due
}

// remembered is the answer to a question that need not be asked now.
func (r *Resolver) remembered(q question) (answer, bool) {
	switch {
	case !r.cfg.Pretend:
		return r.cache.get(q, r.cfg.Now())
	case q.kind == dns.TypeA:
		return answer{addrs: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}}, true
	case q.kind == dns.TypeAAAA:
		return answer{addrs: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}, true
	}
	return answer{}, true
}

// fetchAll asks all questions, as many at once as one lookup may, and puts the
// answers into known.
func (r *Resolver) fetchAll(ctx context.Context, qs []question, known map[question]answer, patient bool) {
	answers := make([]answer, len(qs))
	slots := make(chan struct{}, maxAtOnce)
	var wg sync.WaitGroup
	for i, q := range qs {
		slots <- struct{}{}
		wg.Go(func() {
			answers[i] = r.fetch(ctx, q, patient)
			<-slots
		})
	}
	wg.Wait()
	for i, q := range qs {
		known[q] = answers[i]
	}
}
