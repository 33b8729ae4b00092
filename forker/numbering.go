package forker

import (
	"math"
	"time"
)

// Bounds within which a source is believed to go on rather than to have
// started anew (RFC 3550 appendix A.1, wider: a copy must not hide a loss).
const (
	maxLate      = 1000                   // packets behind the newest that are late, not a restart
	maxDropout   = 3000                   // packets ahead of the newest that are lost, where there was no time for them to be sent
	leastSpacing = 200 * time.Microsecond // of packets: what comes further apart by time may be lost in any number
	maxStretch   = 5 * time.Minute        // timestamp of the copy against time, and a part of the time that has passed
	maxTimeSlip  = 10 * time.Second       // timestamp against arrival
	maxPauseSlip = 500 * time.Millisecond
	maxStraggle  = 2 * time.Second // packets of the source before may still trickle in
	maxSpans     = 4
	maxBehind    = 5 // packets in a row, each the next of the one before, that are not late any more: the numbers began anew
	defaultClock = 8000
)

// numbering maps the sequence numbers and timestamps of whatever sources feed
// a flow onto one continuous space. While a source lasts both offsets are
// constant, so that its losses, reordering and duplicates show in the copy. A
// new source (other SSRC, or a restart) goes on one number after the newest,
// and its timestamp as far on as time has passed. Packets left out on purpose
// take no number. Guarded by the relay's mutex.
type numbering struct {
	started bool
	rejoin  bool  // paused: the next packet out follows the last one directly
	high    int64 // newest number given out, extended beyond 16 bits
	cur     source
	prev    *source // the SSRC before, for its stragglers; nil: there was none
	began   reckoning
	kept    *kept // numbers, clock and SSRC are the sources'; nil: one space of our own
}

// reckoning is a timestamp of the copy and the time that it stood for.
type reckoning struct {
	ts        uint32
	at, clock int64
}

// source is one SSRC as tracked, whether its packets are copied or not.
type source struct {
	ssrc  uint32
	high  int64  // newest sequence number, extended
	ts    uint32 // of the newest packet
	at    int64  // arrival of the first packet that had it: those of an event, or a picture, have one timestamp
	clock int64  // its clock rate
	shift uint32 // timestamp out minus timestamp in
	run   int    // packets in a row that were behind the newest
	next  uint16 // that would go on with them
	out   uint32 // SSRC under which it leaves; only with numbering.kept

	spans            [maxSpans]span // oldest first
	n                int
	skipping         bool
	skipFrom, skipTo int64
}

// span is a run of sequence numbers that share an offset.
type span struct{ from, to, off int64 }

// start begins the space at the given, random, numbers.
func (n *numbering) start(h *header, clock, now int64, seq uint16, ts uint32) {
	n.started = true
	if n.kept != nil {
		seq, ts = h.seq, h.ts
	}
	n.cur = source{ssrc: h.ssrc, high: int64(h.seq), ts: h.ts, at: now, clock: clock, shift: ts - h.ts, out: h.ssrc}
	n.cur.open(span{from: math.MinInt64, to: math.MaxInt64, off: int64(seq) - int64(h.seq)})
	n.high = int64(seq)
	n.began = reckoning{ts: ts, at: now, clock: clock}
}

// next gives the numbers of a packet that is to leave. ok is false when the
// packet's place is taken: it is older than a pause or a change of source.
func (n *numbering) next(h *header, clock, now int64) (seq uint16, ts uint32, ok bool) {
	s, ext, fresh := n.track(h, clock, now)
	switch {
	case fresh && n.rejoin:
		s.join(ext, n.high, n.kept == nil)
		n.rejoin = false
	case fresh && s.skipping:
		s.close(n.kept == nil)
	case !fresh && (n.rejoin || s.skipping && ext >= s.skipFrom):
		return 0, 0, false
	}
	off, ok := s.offset(ext)
	if !ok {
		return 0, 0, false
	}
	if s == &n.cur {
		n.high = max(n.high, ext+off)
	}
	return uint16(ext + off), h.ts + s.shift, true
}

// skip notes a packet that is left out on purpose.
func (n *numbering) skip(h *header, clock, now int64) {
	if !n.started {
		return
	}
	s, ext, fresh := n.track(h, clock, now)
	if !fresh {
		return
	}
	if !s.skipping {
		s.skipping, s.skipFrom = true, ext
	}
	s.skipTo = ext
}

// pause makes the packets until the next one out a hole without numbers.
func (n *numbering) pause() { n.rejoin = n.started }

// timestamp extrapolates the media clock to now (for sender reports).
func (n *numbering) timestamp(now int64) uint32 {
	return n.cur.ts + n.cur.shift + ticks(now-n.cur.at, n.cur.clock)
}

// track finds the source of a packet and its extended number. fresh means that
// it is the newest of the current source.
func (n *numbering) track(h *header, clock, now int64) (s *source, ext int64, fresh bool) {
	s = &n.cur
	if h.ssrc != s.ssrc {
		if ext, ok := n.prev.straggler(h, now); ok {
			return n.prev, ext, false
		}
		if n.prev == nil {
			n.prev = new(source)
		}
		*n.prev = n.cur
		n.rebase(h, clock, now)
		return s, s.high, true
	}
	step := int64(int16(h.seq - uint16(s.high)))
	moved := h.ts != s.ts
	slipped := moved && s.slipped(h.ts, clock, now, n.slip())
	switch {
	case step < -maxLate, step <= 0 && (slipped || n.rejoin && now-s.at > int64(maxTimeSlip)):
		n.rebase(h, clock, now)
		return s, s.high, true
	case step <= 0 && s.behind(h.seq) >= maxBehind:
		n.rebase(h, clock, now)
		return s, s.high, true
	case step <= 0:
		return s, s.high + step, false
	case n.kept != nil:
	case step > maxDropout && step > (now-s.at)/int64(leastSpacing): // no loss, but numbers that began anew
		n.rebase(h, clock, now)
		return s, s.high, true
	case slipped || n.stretched(h.ts+s.shift, clock, now): // numbers go on, the clock does not
		ts, at := n.timestampIn(clock, now)
		s.shift, now, moved = ts-h.ts, at, true
	}
	s.high += step
	if moved {
		s.ts, s.at = h.ts, now
	}
	s.clock, s.run = clock, 0
	return s, s.high, true
}

// rebase makes h the first packet of a new source.
func (n *numbering) rebase(h *header, clock, now int64) {
	n.reckon(clock)
	ts, at := n.timestampIn(clock, now)
	out, next, shift := n.cur.out, n.high+1, ts-h.ts
	if n.kept != nil && h.ssrc != n.cur.ssrc {
		n.kept.leave(&n.cur, n.high)
		out, next, shift = n.kept.enter(h, clock, now)
		at = now
		n.high = next - 1
	}
	n.cur = source{ssrc: h.ssrc, high: int64(h.seq), ts: h.ts, at: at, clock: clock, shift: shift, out: out}
	n.cur.open(span{from: n.cur.high, to: math.MaxInt64, off: next - n.cur.high})
}

// timestampIn is the outgoing timestamp of a new beginning: what has passed
// since the newest packet, in the new clock, and at least one tick. at is the time
// that it stands for: what of a tick is over counts at the next beginning, or a source that
// begins anew with each packet would have the copy's clock fall behind.
func (n *numbering) timestampIn(clock, now int64) (ts uint32, at int64) {
	ts = n.cur.ts + n.cur.shift
	passed := ticks(now-n.cur.at, clock)
	if passed == 0 {
		return ts + 1, now
	}
	const second = int64(time.Second)
	return ts + passed, now - (now-n.cur.at)%second*clock%second/clock
}

// stretched tells whether a timestamp of the copy would be further from the time
// than a source can be whose clock is merely wrong: one whose timestamps jump again and again,
// each time by less than maxTimeSlip.
func (n *numbering) stretched(ts uint32, clock, now int64) bool {
	n.reckon(clock)
	return n.stretch(ts, now) > n.room(now)
}

// reckon has the copy's clock measured in another rate, from the newest packet on and
// as far off as that is.
func (n *numbering) reckon(clock int64) {
	b := &n.began
	if clock == b.clock {
		return
	}
	newest := n.cur.ts + n.cur.shift
	off := int64(int32(newest-b.ts-ticks(n.cur.at-b.at, b.clock))) * int64(time.Second) / b.clock
	*b = reckoning{ts: newest, at: n.cur.at + off, clock: clock}
}

// stretch is how far a timestamp of the copy is from the time.
func (n *numbering) stretch(ts uint32, now int64) time.Duration {
	off := int64(int32(ts - n.began.ts - ticks(now-n.began.at, n.began.clock)))
	return time.Duration(max(off, -off) * int64(time.Second) / n.began.clock)
}

// room is how far it may be.
func (n *numbering) room(now int64) time.Duration {
	return maxStretch + time.Duration(max(now-n.began.at, 0)/16)
}

// steps is how many packets, each at most a second from where it should be, cannot
// take the copy's clock too far.
func (n *numbering) steps(now int64) uint64 {
	if n.kept != nil {
		return math.MaxUint64
	}
	return uint64(max(n.room(now)-n.stretch(n.cur.ts+n.cur.shift, now), 0) / time.Second)
}

func (n *numbering) slip() time.Duration {
	if n.rejoin {
		return maxPauseSlip
	}
	return maxTimeSlip
}

// behind counts the packets that have come in a row behind the newest one.
func (s *source) behind(seq uint16) int {
	if seq != s.next {
		s.run = 0
	}
	s.next = seq + 1
	s.run++
	return s.run
}

// slipped tells whether the timestamp moved on otherwise than the time did.
func (s *source) slipped(ts uint32, clock, now int64, limit time.Duration) bool {
	diff := int64(int32(ts - s.ts - ticks(now-s.at, clock)))
	bound := clock * int64(limit) / int64(time.Second)
	return diff > bound || diff < -bound
}

// straggler tells whether h is a late packet of a source that has ended.
func (s *source) straggler(h *header, now int64) (ext int64, ok bool) {
	if s == nil {
		return 0, false
	}
	step := int64(int16(h.seq - uint16(s.high)))
	ok = s.n > 0 && h.ssrc == s.ssrc && step <= 0 && step >= -maxLate && now-s.at < int64(maxStraggle)
	return s.high + step, ok
}

// open begins a span, forgetting the oldest when there are too many.
func (s *source) open(sp span) {
	if s.n == maxSpans {
		copy(s.spans[:], s.spans[1:])
		s.n--
	}
	s.spans[s.n] = sp
	s.n++
}

// close ends a run of skipped packets: what follows takes their numbers, or with
// closeUp false its own.
func (s *source) close(closeUp bool) {
	last := &s.spans[s.n-1]
	last.to = s.skipFrom - 1
	off := last.off
	if closeUp {
		off -= s.skipTo + 1 - s.skipFrom
	}
	s.open(span{from: s.skipTo + 1, to: math.MaxInt64, off: off})
	s.skipping = false
}

// join makes ext follow number high: directly, or with closeUp false under its own.
func (s *source) join(ext, high int64, closeUp bool) {
	last := &s.spans[s.n-1]
	off := last.off
	last.to = high - off
	if closeUp {
		off = high + 1 - ext
	}
	s.open(span{from: ext, to: math.MaxInt64, off: off})
	s.skipping = false
}

func (s *source) offset(ext int64) (off int64, ok bool) {
	for i := s.n - 1; i >= 0; i-- {
		if sp := &s.spans[i]; ext >= sp.from {
			return sp.off, ext <= sp.to
		}
	}
	return 0, false
}

// ticks turns nanoseconds into units of a clock rate, modulo 2^32.
func ticks(ns, clock int64) uint32 {
	const second = int64(time.Second)
	return uint32(ns/second*clock + ns%second*clock/second)
}
