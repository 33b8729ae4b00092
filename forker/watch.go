package forker

import (
	"net/netip"
	"slices"
	"time"
)

// Datagram is one that has passed a relay, as a Watcher is shown it.
type Datagram struct {
	At       time.Time
	From, To netip.AddrPort // ours as it is advertised
	Control  bool           // RTCP
	Data     []byte         // the watcher's while it looks; not to be changed
}

// Watcher is shown the datagrams of a relay. Its functions are called under the
// relay's lock: they neither wait nor call back. Either may be nil.
type Watcher struct {
	// Wire sees what comes in and what leaves, copies included, as it is on the
	// wire. While there is one every packet of the relay goes the long way.
	Wire func(Datagram)
	// Control sees RTCP in clear: what the parties send, what we tell recorders
	// and what they answer. SRTCP that only passes is not shown.
	Control func(Datagram)
	// End is called once when the relay is closed; at once where it is already.
	End func()
}

// watching is the watchers of a relay, guarded by its mutex.
type watching struct {
	wire, control, end []*Watcher
}

// Watch has w look at the datagrams from now on, until stop. Stop may be called
// more than once; nothing is shown any more once it returns.
func (r *Relay) Watch(w Watcher) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.Wire != nil {
		r.watch.wire = append(r.watch.wire, &w)
	}
	if w.Control != nil {
		r.watch.control = append(r.watch.control, &w)
	}
	switch {
	case w.End == nil:
	case r.closed:
		w.End()
	default:
		r.watch.end = append(r.watch.end, &w)
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		is := func(o *Watcher) bool { return o == &w }
		r.watch.wire = slices.DeleteFunc(r.watch.wire, is)
		r.watch.control = slices.DeleteFunc(r.watch.control, is)
		r.watch.end = slices.DeleteFunc(r.watch.end, is)
	}
}

// sees shows a datagram as it is on the wire.
func (w *watching) sees(pair *portPair, peer netip.AddrPort, sent, onControl, control bool, b []byte) {
	if len(w.wire) == 0 {
		return
	}
	d := datagram(pair, peer, sent, onControl, control, b)
	for _, o := range w.wire {
		o.Wire(d)
	}
}

// ends tells that the relay is closed.
func (w *watching) ends() {
	for _, o := range w.end {
		o.End()
	}
	w.end = nil
}

// hears shows RTCP in clear.
func (w *watching) hears(pair *portPair, peer netip.AddrPort, sent, onControl bool, b []byte) {
	if len(w.control) == 0 {
		return
	}
	d := datagram(pair, peer, sent, onControl, true, b)
	for _, o := range w.control {
		o.Control(d)
	}
}

// datagram is one between a peer and a port of ours: that of RTCP where
// onControl is set.
func datagram(pair *portPair, peer netip.AddrPort, sent, onControl, control bool, b []byte) Datagram {
	own, rtcp := pair.pool.place.address(pair)
	if onControl {
		own = rtcp
	}
	d := Datagram{At: time.Now(), From: peer, To: own, Control: control, Data: b}
	if sent {
		d.From, d.To = own, peer
	}
	return d
}
