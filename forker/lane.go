package forker

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// A lane is the short way of a flow's usual packet: the next one of the source
// that is latched, sent on as it came and copied with a new header. What decides
// that is worked out once, after a packet that has gone the long way (route.pass),
// and is data then: what to accept, where to send, what to rewrite, what to count.
// A packet that is not just the next one goes the long way, as all do in a flow
// of which more is asked.
//
//	closed ──a packet on the long way, nothing special about it───────▶ open
//	   ▲                                                                  │
//	   └─ anybody takes the relay's lock; one of its packets on the long ─┘
//	      way; a party that has moved
//
// As it closes its counts go where they belong, so that nobody else has to know
// of lanes: whatever changes or reads a relay has taken its lock (relayLock).
// Who adds a step to the long way says in route.plain, Tap.plain or
// alteration.plain when that step does nothing.
type lane struct {
	// What each packet needs lies together: memory that is not in a cache is the
	// greatest part of what our own code costs.
	open    bool
	bare    bool // only what has no header extension goes this way
	pt      uint8
	n       int8   // copies
	seq     uint16 // of the newest packet, as ts and at
	ssrc    uint32
	ts      uint32
	leap    uint32 // ticks that a timestamp may be ahead of the one before
	at      int64
	from    netip.AddrPort
	packets uint64 // since it opened, as octets
	limit   uint64 // packets after which the long way looks at the clocks again
	octets  uint64
	to      way
	copies  [laneCopies]laneCopy
	route   *route
	next    *lane // of the relay
}

// laneCopy is a lane's way to one recorder.
type laneCopy struct {
	number   uint16 // sequence number out minus sequence number in
	pt       uint8
	keeps    bool   // a replay is wanted
	sealed   bool   // leaves as SRTP
	collects bool   // may have a batch begun
	shift    uint32 // timestamp out minus timestamp in
	ssrc     uint32
	sent     uint64 // since the lane opened, as the rest
	octets   uint64
	payload  uint64
	last     int64
	raw      rawWay // of the tap's socket
	tap      *Tap
}

const (
	laneCopies = 2                  // recorders of one flow that a lane serves
	laneGap    = int64(time.Second) // after which the long way looks at the clocks again
)

// way is a socket and where it sends to, made ready: on the raw driver neither
// the socket nor the address is looked at again.
type way struct {
	raw  rawWay
	sock socket
	to   netip.AddrPort
}

func newWay(sock socket, to netip.AddrPort) way {
	return way{raw: rawWayOf(sock, to), sock: sock, to: to}
}

func (w *way) send(b []byte) error {
	if w.raw.ready() {
		return w.raw.send(b)
	}
	return w.sock.send(b, w.to)
}

// relayLock is the lock of a relay. Who has it finds everything counted and
// numbered as if there were no lanes.
type relayLock struct {
	sync.Mutex
	lanes *lane // open ones
}

// Lock takes the lock and closes the lanes.
func (l *relayLock) Lock() {
	l.Mutex.Lock()
	l.settle()
}

// settle closes the lanes.
func (l *relayLock) settle() {
	for ln := l.lanes; ln != nil; ln = ln.next {
		ln.close()
	}
	l.lanes = nil
}

// uncounted is how many copies have left by the lanes that are open.
func (l *relayLock) uncounted() (n uint64) {
	for ln := l.lanes; ln != nil; ln = ln.next {
		for i := range ln.n {
			n += ln.copies[i].sent
		}
	}
	return n
}

// shut closes one lane; it may be nil, or closed already.
func (l *relayLock) shut(ln *lane) {
	if ln == nil || !ln.open {
		return
	}
	at := &l.lanes
	for *at != ln {
		at = &(*at).next
	}
	*at = ln.next
	ln.close()
}

// settle has everything counted.
func (r *Relay) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
}

// pass sends a packet its way, or leaves it to the long one. It owns b's header.
func (ln *lane) pass(b []byte, from netip.AddrPort, now int64) bool {
	if from != ln.from || ln.packets >= ln.limit {
		return false
	}
	h, ok := readHeader(b)
	if !ok || h.pt != ln.pt || h.ssrc != ln.ssrc || h.seq != ln.seq+1 || h.ts-ln.ts > ln.leap || now-ln.at > laneGap {
		return false
	}
	if h.extension && ln.bare {
		return false
	}
	ln.seq, ln.ts, ln.at = h.seq, h.ts, now
	ln.packets++
	ln.octets += uint64(len(b))
	if err := ln.to.send(b); err != nil && (!belated(err) || ln.to.send(b) != nil) {
		ln.route.failed()
	}
	if ln.n > 0 && h.extension {
		b = withoutExtension(b)
	}
	batched := ln.route.relay.engine.batch.Load() > 1
	for i := range ln.n {
		ln.copies[i].send(b, &h, batched, now)
	}
	return true
}

func (c *laneCopy) send(b []byte, h *header, batched bool, now int64) {
	seq, ts := h.seq+c.number, h.ts+c.shift
	if c.keeps {
		c.tap.replay.push(b, h, seq, ts, c.ssrc, now)
	}
	writeHeader(b, c.pt, seq, ts, c.ssrc)
	switch {
	case c.sealed:
		c.tap.depart(b, h, now)
		return
	case batched || c.collects:
		c.collects = true
		if c.tap.collect(b, h, now) {
			return
		}
	}
	if err := c.put(b); err != nil {
		c.tap.sendAgain(err, b, h.payload, now)
		return
	}
	c.sent++
	c.octets += uint64(len(b))
	c.payload += uint64(h.payload)
	c.last = now
}

func (c *laneCopy) put(b []byte) error {
	if c.raw.ready() {
		return c.raw.send(b)
	}
	return c.tap.put(b, len(b))
}

// enter opens the lane for what follows the packet h, which has gone the long
// way, if nothing more than sending and copying is to be done about it.
func (r *route) enter(h *header, from netip.AddrPort, now int64) {
	if !r.plain(h, from) {
		return
	}
	sock, addr := r.to.destination(false)
	if !addr.IsValid() {
		return
	}
	ln := r.lane
	if ln == nil {
		ln = &lane{route: r}
		r.lane = ln
	}
	ln.leap, ln.limit, ln.bare = math.MaxUint32, uint64(r.meter.left), false
	for i, t := range r.flow.taps {
		if !ln.copies[i].aim(t, h) {
			return
		}
		ln.leap = min(ln.leap, uint32(t.clockOf(h.pt))) // a second
		ln.limit = min(ln.limit, t.nums.steps(now))
		ln.bare = ln.bare || t.extensions != nil
	}
	ln.open, ln.n = true, int8(len(r.flow.taps))
	ln.pt, ln.from, ln.ssrc, ln.seq, ln.ts, ln.at = h.pt, from, h.ssrc, h.seq, h.ts, now
	ln.to = newWay(sock, addr)
	ln.packets, ln.octets = 0, 0
	ln.next, r.relay.mu.lanes = r.relay.mu.lanes, ln
}

// plain tells whether the long way has nothing to do for the packets that
// follow h but to accept them from there, count them and send them on.
func (r *route) plain(h *header, from netip.AddrPort) bool {
	switch f := r.flow; {
	case h == nil, r.control, r.relay.closed, r.from.srtp != nil, r.to.srtp != nil, f.secrecy.sealed, f.secrecy.ended:
		return false
	case len(r.relay.watch.wire) > 0:
		return false
	case len(f.voices) > 0:
		return false
	case !r.from.media.locked, r.from.media.remote != from, r.relay.hosts[r.from.side] != from.Addr():
		return false
	case f.alter != nil && !f.alter.plain(f.coding(h.pt)):
		return false
	default:
		return len(f.taps) <= laneCopies
	}
}

// plain tells whether packets of that codec go on as they are, unnoticed.
func (a *alteration) plain(c coding) bool {
	return a.mixer == nil && a.playing == nil && !a.marks && !a.swallow && !a.forward.started && !c.keys()
}

// plain tells whether the packets that follow h are copied with another header
// and no more, when they come in order.
func (t *Tap) plain(h *header) bool {
	_, covered := t.covered()
	return !covered && !(h.extension && t.extensions != nil) && !t.waiting() && t.rtp.IsValid() && t.cfg.DTMF == DTMFPass && t.pt[h.pt] != unmapped && t.counts.first != 0 &&
		t.codecs.of(h.pt).plain()
}

// aim makes the copy that of a tap; false when it is not to have a lane.
func (c *laneCopy) aim(t *Tap, h *header) bool {
	off, ok := t.nums.steady(h, t.clockOf(h.pt))
	if !ok || !t.plain(h) {
		return false
	}
	*c = laneCopy{
		tap: t, raw: rawWayOf(t.pair.rtp, t.told()), number: uint16(off), shift: t.nums.cur.shift, ssrc: t.source(), pt: t.pt[h.pt],
		keeps: t.replay.limit > 0, sealed: t.seal.out != nil, collects: t.batch.n > 0,
	}
	return true
}

// steady gives the offset of the numbers that follow h, when h is the newest
// packet of the current source and nothing is under way.
func (n *numbering) steady(h *header, clock int64) (off int64, ok bool) {
	s := &n.cur
	if !n.started || n.rejoin || s.skipping || s.ssrc != h.ssrc || uint16(s.high) != h.seq || s.ts != h.ts || s.clock != clock {
		return 0, false
	}
	last := &s.spans[s.n-1]
	return last.off, last.to == math.MaxInt64 && s.high >= last.from && n.high == s.high+last.off
}

// close puts what the lane has counted and numbered where it belongs.
func (ln *lane) close() {
	ln.open = false
	if ln.packets == 0 {
		return
	}
	r := ln.route
	r.meter.left -= uint32(ln.packets)
	c := &r.flow.counts
	c.packets += ln.packets
	c.octets += ln.octets
	r.flow.lastRTP = ln.at
	r.relay.engine.totals.packets[r.from.side].Add(ln.packets)
	for i := range ln.n {
		ln.copies[i].close(ln)
	}
}

func (c *laneCopy) close(ln *lane) {
	t := c.tap
	t.counts.in += ln.packets
	t.heard = ln.at
	t.nums.cur.high += int64(ln.packets)
	if s := &t.nums.cur; s.ts != ln.ts {
		s.ts, s.at = ln.ts, ln.at
	}
	t.nums.high += int64(ln.packets)
	if !c.keeps {
		t.replay.unsure += ln.packets
	}
	if c.sent > 0 {
		t.counts.copied += c.sent
		t.counts.octets += c.octets
		t.counts.payload += c.payload
		t.counts.last = max(t.counts.last, c.last)
		t.totals.copied.Add(c.sent)
	}
}
