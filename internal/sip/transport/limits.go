package transport

import "net/netip"

// Limits bound the connections that others make to us, and those that we make back to
// them (DialBack); what else we make is bounded by who has it made.
type Limits struct {
	Conns     int // in all; 0: DefaultConns
	PerSource int // from one address (IPv6: one /64); 0: DefaultConnsPerSource
}

// What the fields of Limits are when they are 0.
const (
	DefaultConns          = 20000
	DefaultConnsPerSource = 1024
)

// SetLimits replaces Config.Limits for connections that are made from now on; those
// that are open stay. At most half of the descriptors of the process go to
// connections: the media of calls needs the others. What is in force is returned.
func (t *Layer) SetLimits(l Limits) Limits {
	orInt(&l.Conns, DefaultConns)
	orInt(&l.PerSource, DefaultConnsPerSource)
	if n := descriptors(); n > 0 {
		l.Conns = max(1, min(l.Conns, n/2))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limits = l
	return l
}

// Connections is how many connections are open.
func (t *Layer) Connections() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.conns)
}

// Descriptors is how many files and sockets the process may have open; 0: the system
// does not say.
func Descriptors() int { return descriptors() }

// sourceOf is what counts as one source of connections: who has one address of a
// /64 has all.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
