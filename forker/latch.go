package forker

import (
	"net/netip"
	"time"
)

// Bounds of latching onto an address that SDP does not name.
const (
	latchWindow  = 64                     // datagrams of foreign hosts after which none of them is believed
	latchRun     = 3                      // consecutive RTP packets that a foreign host must show
	latchHoldOff = 200 * time.Millisecond // during which the signalled address may still speak up
)

// verdict is what a latch says of a datagram's sender.
type verdict uint8

const (
	admitted verdict = iota
	early            // nobody may send here yet
	stranger
)

// latch knows who may send to a socket, and where that party is.
//
//	unknown ──set──▶ waiting ──signalled address speaks──▶ locked on it
//	                    │                                      ▲
//	                    └─someone believable speaks──▶ locked on him
//
// The signalled address is always right: even when locked on another one its
// first datagram takes over, so a stranger that got in is out again. Believable
// without it, and only until locked:
//   - another port of the signalled host, of the host that signalling came
//     from, of the host latched before only the port changed, or of the host
//     that the party's other media comes from: at once;
//   - any other host (a NAT that SDP does not know), within latchWindow datagrams of such: RTP
//     only, from a party that is to send, when it is the only one that tries, shows latchRun
//     consecutive packets of one SSRC and latchHoldOff has passed. Not where SDP
//     names the host that signalling comes from, for then there is no such NAT
//     (Config.LatchAnywhere has it believed all the same).
//
// Guarded by the relay's mutex.
type latch struct {
	known     bool
	locked    bool
	muted     bool // SDP says 0.0.0.0: send nothing
	sends     bool
	signalled netip.AddrPort
	remote    netip.AddrPort // while locked
	source    netip.Addr     // where the party's signalling comes from
	anywhere  bool           // Config.LatchAnywhere
	doubt     *doubt         // nil: nobody else has tried, or is to be told apart
}

// doubt is what a latch knows of others than the signalled address.
type doubt struct {
	trusted  netip.Addr     // host latched before only the port changed
	former   netip.AddrPort // address latched before the change: perhaps another party
	shunned  netip.AddrPort // still spoke when the port was last given up
	tries    int
	disputed bool
	guess    candidate
}

// candidate is a foreign host that may be the party behind a NAT.
type candidate struct {
	addr  netip.AddrPort
	ssrc  uint32
	next  uint16
	run   int
	since int64
}

// set takes over what SDP says. The latch stays when the address does, also
// over a hold by 0.0.0.0. An invalid address or port 0 closes the latch.
func (l *latch) set(addr netip.AddrPort, sends bool, source netip.Addr) {
	l.sends, l.source = sends, source
	if !addr.IsValid() || addr.Port() == 0 {
		*l = latch{anywhere: l.anywhere, doubt: l.doubt.next()}
		return
	}
	l.muted = addr.Addr().IsUnspecified()
	if l.muted || l.known && addr == l.signalled {
		return
	}
	fresh := latch{known: true, signalled: addr, sends: sends, source: source, anywhere: l.anywhere, doubt: l.doubt.next()}
	if l.locked {
		d := fresh.doubts()
		d.former = l.remote
		if l.signalled.Addr() == addr.Addr() {
			d.trusted = l.remote.Addr()
		}
	}
	*l = fresh
}

// shun has nobody at that address believed; an invalid one is nobody's.
func (l *latch) shun(addr netip.AddrPort) {
	if addr.IsValid() {
		l.doubts().shunned = addr
	}
}

// doubts gives the latch's doubt, made if need be.
func (l *latch) doubts() *doubt {
	if l.doubt == nil {
		l.doubt = &doubt{}
	}
	return l.doubt
}

// next is what is left of it for another address.
func (d *doubt) next() *doubt {
	if d == nil || !d.shunned.IsValid() {
		return nil
	}
	return &doubt{shunned: d.shunned}
}

// target is where to send to the party; invalid: nowhere.
func (l *latch) target() netip.AddrPort {
	switch {
	case l.muted || !l.known:
		return netip.AddrPort{}
	case l.locked:
		return l.remote
	}
	return l.signalled
}

// admit decides on a datagram. h is nil unless it is an RTP packet; sibling is
// the host from which the party's other RTP comes, if any is known.
func (l *latch) admit(from netip.AddrPort, h *header, rtpOnly bool, sibling netip.Addr, now int64) verdict {
	switch {
	case l.locked && from == l.remote:
		return admitted
	case !l.known:
		return early
	case from == l.signalled:
		l.lock(from)
		return admitted
	case l.locked:
		return stranger
	}
	d := l.doubts()
	if from == d.shunned || rtpOnly && h == nil {
		return stranger
	}
	if from != d.former && l.kin(from.Addr(), sibling) || l.proven(from, h, now) { // who sprays our ports keeps no party out
		l.lock(from)
		return admitted
	}
	return stranger
}

func (l *latch) lock(on netip.AddrPort) {
	l.locked, l.remote, l.doubt = true, on, l.doubt.next()
}

// kin tells whether host is one that the party is known to use.
func (l *latch) kin(host, sibling netip.Addr) bool {
	return host == l.signalled.Addr() || host == l.source || host == l.doubt.trusted || host == sibling
}

// proven follows a foreign host until it has shown enough.
func (l *latch) proven(from netip.AddrPort, h *header, now int64) bool {
	d := l.doubt
	if d.tries >= latchWindow {
		return false
	}
	d.tries++
	direct := l.source.IsValid() && l.source == l.signalled.Addr()
	if h == nil || !l.sends || direct && !l.anywhere || from.Addr() == d.shunned.Addr() || d.replaced(from) {
		return false
	}
	c := &d.guess
	switch {
	case !c.addr.IsValid():
		*c = candidate{addr: from, ssrc: h.ssrc, since: now}
	case c.addr != from:
		d.disputed = true
	case h.ssrc != c.ssrc || h.seq != c.next:
		c.ssrc, c.run = h.ssrc, 0
	}
	if d.disputed {
		return false
	}
	c.run++
	c.next = h.seq + 1
	return c.run >= latchRun && now-c.since >= int64(latchHoldOff)
}

// replaced tells whether from is the party that was here before SDP named
// another host.
func (d *doubt) replaced(from netip.AddrPort) bool {
	return from == d.former && !d.trusted.IsValid()
}
