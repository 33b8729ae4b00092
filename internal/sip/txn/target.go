package txn

import (
	"crypto/tls"
	"fmt"
	"net/netip"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
)

// Target is where a request goes.
type Target struct {
	Proto       string              // "udp", "tcp" or "tls"
	Addr        netip.AddrPort      // the next hop
	Host        string              // TLS server name
	TLS         *tls.Config         // how TLS connections to it are made; nil: as the transport layer has it
	Listener    *transport.Listener // to leave from; nil: picked by protocol and address family
	Conn        uint64              // stream connection to use while it is open; 0: any to Addr
	ExplicitUDP bool                // the URI says transport=udp: large requests go there without a try over TCP

	// Patient has a request that cannot be delivered repeated, as if the network had said nothing, until Timer B
	// or F: for what must arrive and has nowhere else to go.
	Patient bool
}

// FlowTarget returns the target that leads back where a message came from.
func FlowTarget(f transport.Flow) Target {
	return Target{Proto: f.Proto, Addr: f.Remote, Listener: f.Listener, Conn: f.Conn, Host: f.Server, TLS: f.TLS}
}

// Leaving returns the listener from which a request to that target leaves and
// whose identity its Contact should bear; nil when there is none. A stream to
// a peer for which there is no listener of that protocol borrows the identity
// of another one of the address family.
func (l *Layer) Leaving(to Target) *transport.Listener {
	if to.Listener != nil && to.Listener.Proto == to.Proto {
		return to.Listener
	}
	picked := l.cfg.Transport.Pick(to.Proto, to.Addr.Addr())
	switch {
	case to.Proto == "udp":
		return picked
	case to.Listener != nil && (picked == nil || picked.Bound.Addr() != to.Listener.Bound.Addr()):
		return to.Listener
	case picked != nil:
		return picked
	}
	return l.cfg.Transport.Pick("", to.Addr.Addr())
}

// Resolve turns a SIP URI into the targets to try, in order (RFC 3263). For
// numeric hosts and names in the cache done is called at once; else later on
// this lane. Targets for which there is no listener are left out.
func (l *Lane) Resolve(uri string, done func([]Target, error)) {
	u, err := sip.ParseURI(uri)
	if err != nil {
		done(nil, fmt.Errorf("resolving %q: %w", uri, err))
		return
	}
	r := l.layer.cfg.Resolver
	if found, ok, due := r.Known(u); ok {
		if due {
			l.layer.lookup(func() { r.Refresh(l.layer.ctx, u) })
		}
		done(l.layer.targets(u, found))
		return
	}
	if !l.layer.lookup(func() {
		found, err := r.Lookup(l.layer.ctx, u)
		l.Post(func() {
			if err != nil {
				done(nil, err)
				return
			}
			done(l.layer.targets(u, found))
		})
	}) {
		done(nil, fmt.Errorf("resolving %s: %w", u.Host, errBusy))
	}
}

// lookup has a worker do f, unless there are too many.
func (l *Layer) lookup(f func()) bool {
	if l.lookups.Add(1) > maxLookups {
		l.lookups.Add(-1)
		return false
	}
	l.workers.Go(func() {
		defer l.lookups.Add(-1)
		f()
	})
	return true
}

func (l *Layer) targets(u sip.URI, found []resolve.Endpoint) ([]Target, error) {
	explicit := u.Transport() == "udp"
	targets := make([]Target, 0, len(found))
	for _, e := range found {
		to := Target{Proto: e.Proto, Addr: e.Addr, Host: e.Host, ExplicitUDP: explicit}
		if l.Leaving(to) != nil {
			targets = append(targets, to)
		}
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("resolving %s: %w", u.Host, errNoListener)
	}
	return targets, nil
}
