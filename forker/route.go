package forker

import (
	"net/netip"

	"sidetrack/internal/dtls"
)

// routeKind says what becomes of the datagrams of a socket.
type routeKind uint8

const (
	routeRelay   routeKind = iota // on to the other side, and copied
	routeReports                  // RTCP from a recorder: counted
	routeQuiet                    // a released port: only noticed
)

// route describes, as data, what a socket's datagrams go through. It never
// changes once attached, but for lane and meter; these and what it points to do, under
// the relay's mutex.
type route struct {
	kind    routeKind
	control bool    // the socket is the RTCP one of its pair
	relay   *Relay  // routeRelay: lock, closed
	from    *leg    // routeRelay: what to accept
	to      *leg    // routeRelay: where to send
	flow    *flow   // routeRelay: what to count, where to copy
	tap     *Tap    // routeReports
	quiet   *silent // routeQuiet
	lane    *lane   // routeRelay: the short way; nil: there has been none
	meter   meter   // routeRelay: how much of it
}

// flow is one direction of a stream: what one side sends.
type flow struct {
	counts  flowCounters
	lastRTP int64 // arrival of the newest accepted media datagram; 0: none
	taps    []*Tap
	voices  []*voice // mixes that have it
	secrecy secrecy
	codecs  *codingTable // what SetCodecs has told; nil: nothing
	alter   *alteration  // nil: what came goes on as it is
	playing *playback    // nil: no announcement is heard in its place
}

// flowCounters are the plain numbers behind FlowStats.
type flowCounters struct {
	packets, octets, rtcp                  uint64
	strangers, early, unroutable, failures uint64
	forged, replayed, unkeyed              uint64
	excess                                 uint64    // beyond Config.MaxRate
	refusals                               *refusals // nil: there have been neither strangers nor excess to tell of
}

// refusals are what is logged of a flow now and then.
type refusals struct {
	intruder          netip.AddrPort // the newest stranger
	strangers, excess uint64         // logged so far
}

// refused gives the flow's refusals, made if need be.
func (c *flowCounters) refused() *refusals {
	if c.refusals == nil {
		c.refusals = &refusals{}
	}
	return c.refusals
}

// handle takes one datagram its way. b is the caller's again afterwards, with
// its header overwritten; now is the time of arrival on the engine's clock.
func (r *route) handle(b []byte, from netip.AddrPort, now int64) {
	switch r.kind {
	case routeRelay:
		m := &r.relay.mu
		m.Mutex.Lock() // not through relayLock: that would close the lanes
		defer r.relay.unlock()
		if r.lane == nil || !r.lane.open || !r.lane.pass(b, from, now) {
			r.detour(b, from, now)
		}
	case routeReports:
		r.tap.report(b, from, now)
	case routeQuiet:
		r.quiet.heard(from, now)
	}
}

// detour has a datagram go the long way. Lanes of other flows stay open unless
// it has changed what they go by: where the party of this one is.
func (r *route) detour(b []byte, from netip.AddrPort, now int64) {
	if r.relay.closed {
		return
	}
	r.relay.mu.shut(r.lane)
	target, host := r.from.media.target(), r.relay.hosts[r.from.side]
	r.pass(b, from, now)
	if r.from.media.target() != target || r.relay.hosts[r.from.side] != host {
		r.relay.mu.settle()
	}
}

// pass is the relay's way of a datagram: classify, admit, count, forward, copy.
// It may open a lane for those that follow (lane.go).
func (r *route) pass(b []byte, from netip.AddrPort, now int64) {
	var hdr header
	var h *header
	control, muxed := r.control, false
	if r.from.remote.RTPKind && !control {
		if r.from.remote.Mux && isRTCP(b) {
			control, muxed = true, true
		} else if rh, ok := r.flow.read(b); ok {
			hdr, h = rh, &hdr
		}
	}
	shaking := r.from.srtp != nil && r.from.srtp.dtls != nil && dtls.Is(b)
	if !r.admit(from, h, muxed || shaking, now) || !r.paced(now) {
		return
	}
	watch := &r.relay.watch
	watch.sees(r.from.pair, from, false, r.control, control, b)
	if r.from.srtp != nil {
		if b, h = r.opens(b, h, control); b == nil {
			return
		}
	}
	r.count(b, control, now)
	if control {
		r.from.heardControl(muxed)
		if !r.flow.secrecy.sealed {
			watch.hears(r.from.pair, from, false, r.control, b)
		}
	}
	out := b
	if r.flow.alter != nil && h != nil && !control && !r.flow.secrecy.sealed {
		out, b = r.flow.alter.alter(r, b, h, now)
	}
	if out != nil {
		r.forward(out, control)
	}
	if control || b == nil {
		return
	}
	r.copy(b, h, now)
	r.enter(h, from, now)
}

// read reads the header of a media packet. Of SRTP the padding cannot be seen.
func (f *flow) read(b []byte) (header, bool) {
	if f.secrecy.sealed || f.secrecy.ended {
		return readSealed(b)
	}
	return readHeader(b)
}

// copy hands the packet to the taps, in clear.
func (r *route) copy(b []byte, h *header, now int64) {
	f := r.flow
	if f.secrecy.sealed {
		clear, own := f.secrecy.open(b, h, len(f.taps)+len(f.voices) > 0 || f.alter != nil)
		if clear == nil {
			for _, t := range f.taps {
				t.refuse(h)
			}
			return
		}
		b, h = clear, own
		if f.alter != nil && h != nil {
			f.alter.overhear(r, b, h, now)
		}
	}
	var newest header
	if h != nil && f.redundant(h.pt) {
		newest = *h
		if one, ok := unwrapped(b, &newest); ok {
			b, h = one, &newest
		}
	}
	bare := h == nil || !extended(b)
	if !bare {
		for _, t := range f.taps {
			if t.extensions != nil {
				t.copy(t.extensions.keep(b), h, now)
			}
		}
		b = withoutExtension(b)
	}
	for _, t := range f.taps {
		if bare || t.extensions == nil {
			t.copy(b, h, now)
		}
	}
	for _, v := range f.voices {
		v.take(b, h, now)
	}
}

// admit asks the latch of the port the datagram came in on.
func (r *route) admit(from netip.AddrPort, h *header, muxed bool, now int64) bool {
	l, rtpOnly := &r.from.media, r.from.remote.RTPKind && !muxed
	if r.control {
		l, rtpOnly = &r.from.control, false
	}
	host := &r.relay.hosts[r.from.side]
	switch l.admit(from, h, rtpOnly, *host, now) {
	case early:
		r.flow.counts.early++
		r.relay.engine.totals.early[r.from.side].Add(1)
		return false
	case stranger:
		r.flow.counts.strangers++
		r.flow.counts.refused().intruder = from
		r.relay.engine.totals.strangers[r.from.side].Add(1)
		return false
	}
	if h != nil {
		*host = from.Addr()
	}
	return true
}

func (r *route) count(b []byte, control bool, now int64) {
	if control {
		r.flow.counts.rtcp++
		return
	}
	r.flow.counts.packets++
	r.flow.counts.octets += uint64(len(b))
	r.flow.lastRTP = now
	r.relay.engine.totals.packets[r.from.side].Add(1)
}

// forward sends the datagram, as it came unless SRTP ends on a side, from the
// other side's advertised port.
func (r *route) forward(b []byte, control bool) {
	sock, addr := r.to.destination(control)
	if !addr.IsValid() {
		r.flow.counts.unroutable++
		return
	}
	if r.to.srtp != nil {
		out, err := r.to.srtp.seals(b, control)
		if err != nil {
			r.flow.locked(r, err)
			return
		}
		b = out
	}
	if err := sock.send(b, addr); err != nil {
		r.failed()
		return
	}
	r.relay.watch.sees(r.to.pair, addr, true, sock == r.to.pair.rtcp, control, b)
}

// failed counts a packet that the kernel did not take.
func (r *route) failed() {
	r.flow.counts.failures++
	r.relay.engine.totals.failures[r.from.side].Add(1)
}
