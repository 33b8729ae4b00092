package transport

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Pick returns the listener from which a request to remote leaves: of that
// protocol ("" for any) and address family. Among several, one on loopback
// serves loopback peers and no others where there is a choice; of those that are
// bound to addresses of their own, it is the one whose address the system itself
// reaches remote by; else the first one opened. Nil when there is none.
func (t *Layer) Pick(proto string, remote netip.Addr) *Listener {
	remote = remote.Unmap()
	fit, fallback, several := t.fitting(proto, remote)
	if !several || t.cfg.Pretend != nil {
		if fit != nil {
			return fit
		}
		return fallback
	}
	own := t.routes.of(remote, time.Now())
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, l := range t.listeners {
		switch {
		case proto != "" && l.Proto != proto || l.Bound.Addr().Is4() != remote.Is4():
		case l.Bound.Addr() == own:
			return l
		case l.Bound.Addr().IsUnspecified() && !fit.Bound.Addr().IsUnspecified():
			fit = l
		}
	}
	return fit
}

// fitting returns the first listener that serves remote, the first one that could
// at all, and whether there are several on different interfaces.
func (t *Layer) fitting(proto string, remote netip.Addr) (fit, fallback *Listener, several bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, l := range t.listeners {
		own := l.Bound.Addr()
		switch {
		case (proto != "" && l.Proto != proto) || own.Is4() != remote.Is4():
		case !own.IsUnspecified() && own.IsLoopback() != remote.IsLoopback():
			if fallback == nil {
				fallback = l
			}
		case fit == nil:
			fit = l
		case fit.Bound.Addr().IsUnspecified():
			return fit, fallback, false // it serves all
		case own != fit.Bound.Addr() && !remote.IsLoopback():
			return fit, fallback, true
		}
	}
	return fit, fallback, false
}

// sources remember by which of our addresses the system reaches others. It asks
// the routing table, which sends nothing, and again after a while: routes change.
// Its lock is a leaf.
type sources struct {
	mu    sync.Mutex
	known map[netip.Addr]netip.Addr
	since time.Time
}

const (
	sourcesLife = 10 * time.Second
	maxSources  = 4096
)

// of returns our address towards remote, an invalid one where there is no way.
func (s *sources) of(remote netip.Addr, now time.Time) netip.Addr {
	s.mu.Lock()
	if s.known == nil || now.Sub(s.since) > sourcesLife || len(s.known) >= maxSources {
		s.known, s.since = map[netip.Addr]netip.Addr{}, now
	}
	own, ok := s.known[remote]
	s.mu.Unlock()
	if ok {
		return own
	}
	own = sourceFor(remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[remote] = own
	return own
}

func sourceFor(remote netip.Addr) netip.Addr {
	c, err := net.Dial(network("udp", remote), netip.AddrPortFrom(remote, 9).String())
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
}
