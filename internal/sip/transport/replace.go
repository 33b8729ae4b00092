package transport

import (
	"crypto/tls"
	"net/netip"
	"slices"
)

// SetTLS has new connections made and taken by cfg, those by the listeners that
// serve names, by URL, taken by theirs; those that are open go on as they are.
func (t *Layer) SetTLS(cfg *tls.Config, serve map[string]*tls.Config) {
	t.tls.Store(cfg)
	t.serve.Store(&serve)
}

// serving is by what settings a listener takes connections.
func (t *Layer) serving(l *Listener) *tls.Config {
	if own := (*t.serve.Load())[l.URL]; own != nil {
		return own
	}
	return t.tls.Load()
}

// Advertised is l with another host to advertise, for Replace: the same socket.
// Dialogs go on with what they have begun with.
func (l *Listener) Advertised(host string) *Listener {
	named := &Listener{URL: l.URL, Proto: l.Proto, Bound: l.Bound, socket: l.socket}
	named.known(host)
	return named
}

// Abandon closes a bound socket that was never put to use.
func (l *Listener) Abandon() {
	l.gone.Store(true)
	_ = l.closer.Close() // nothing was read or sent
}

// Replace puts these listeners, bound by Bind or in use already, in the place of
// those that new dialogs use. A socket that is not among them retires: it goes on
// reading and sending until Drop.
func (t *Layer) Replace(listeners []*Listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		for _, l := range listeners {
			l.Abandon()
		}
		return
	}
	known := slices.Concat(t.listeners, t.retiring)
	var retiring []*Listener
	for _, old := range known {
		if !slices.ContainsFunc(listeners, old.Shares) {
			old.retiring.Store(true)
			retiring = append(retiring, old)
		}
	}
	for _, l := range listeners {
		l.retiring.Store(false)
		l.current.Store(l)
		if !slices.ContainsFunc(known, l.Shares) {
			t.run(l)
		}
	}
	t.listeners, t.retiring = slices.Clone(listeners), retiring
}

// Shares tells whether both are the same socket; none is that of nil.
func (l *Listener) Shares(other *Listener) bool { return other != nil && l.socket == other.socket }

// Place is where messages of a flow come by: our socket, whatever it is advertised
// as, their sender and his connection.
type Place struct {
	socket *socket
	proto  string
	remote netip.AddrPort
	conn   uint64
}

// Place tells flows apart that differ in more than what our socket is advertised as,
// which a reload may change.
func (f Flow) Place() Place {
	p := Place{proto: f.Proto, remote: f.Remote, conn: f.Conn}
	if f.Listener != nil {
		p.socket = f.Listener.socket
	}
	return p
}

// Retiring returns the sockets that Replace has taken out of use.
func (t *Layer) Retiring() []*Listener {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.retiring)
}

// Drop closes a retiring socket and the connections that it has. What is still
// sent by it leaves by another of its kind, where there is one.
func (t *Layer) Drop(l *Listener) {
	t.mu.Lock()
	i := slices.Index(t.retiring, l)
	if i < 0 { // back in use, or closed
		t.mu.Unlock()
		return
	}
	t.retiring = slices.Delete(t.retiring, i, i+1)
	var conns []*conn
	for _, c := range t.conns {
		if l.Shares(c.flow.Listener) {
			conns = append(conns, c)
		}
	}
	l.gone.Store(true)
	t.mu.Unlock()
	_ = l.closer.Close() // its loop sees the end
	closeAll(conns)
}
