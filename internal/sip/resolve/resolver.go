package resolve

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"sidetrack/internal/sip"
)

// Config is what a Resolver needs; the zero value uses the system's settings.
type Config struct {
	Log     *slog.Logger
	Timeout time.Duration // one Lookup in all; default 5 s
	Servers []string      // name servers as host:port; empty: /etc/resolv.conf
	Hosts   string        // hosts file; default /etc/hosts
}

// Endpoint is one place to try.
type Endpoint struct {
	Proto string // "udp", "tcp" or "tls"
	Addr  netip.AddrPort
	Host  string // the URI's host, for the TLS server name
}

// ErrNotFound: the name has no usable address.
var ErrNotFound = errors.New("name has no address")

// Resolver turns SIP URIs into addresses (RFC 3263).
type Resolver struct{ cfg Config }

// New returns a resolver.
func New(cfg Config) *Resolver { return &Resolver{cfg: cfg} }

// Lookup returns the endpoints of u in the order in which to try them.
func (r *Resolver) Lookup(ctx context.Context, u sip.URI) ([]Endpoint, error) {
	return nil, ErrNotFound
}

// Known returns the endpoints of u when no question has to be asked: numeric
// hosts and names in the cache.
func (r *Resolver) Known(u sip.URI) ([]Endpoint, bool) { return nil, false }
