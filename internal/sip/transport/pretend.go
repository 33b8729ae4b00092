package transport

import (
	"fmt"
	"net/netip"
)

// With Config.Pretend the layer touches no network: to try a configuration out
// on a machine on which the real proxy runs, or that has none of its addresses.

// noSocket is the socket of a listener that has none.
type noSocket struct{}

func (noSocket) Close() error { return nil }

// pretendListen notes a listener as Listen would make it.
func (t *Layer) pretendListen(url, advertise string) (*Listener, error) {
	proto, bind, err := parseURL(url)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", url, err)
	}
	l := &Listener{URL: url, Proto: proto, Bound: bind, socket: &socket{closer: noSocket{}}}
	l.known(advertise)
	l.current.Store(l)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, l)
	return l, nil
}

// pretendSend is Send where every peer has what it is sent.
func (t *Layer) pretendSend(f Flow, b []byte) error {
	if f.Listener == nil {
		f.Listener = t.Pick(f.Proto, f.Remote.Addr())
	}
	if f.Listener == nil {
		return ErrNoSocket
	}
	t.cfg.Pretend(f, b)
	return nil
}

// Inject handles raw as if it had come from remote by one of Listeners.
func (t *Layer) Inject(l *Listener, remote netip.AddrPort, raw []byte) {
	t.deliver(Flow{Proto: l.Proto, Listener: l, Remote: unmap(remote)}, raw, false)
}
