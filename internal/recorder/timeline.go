package recorder

import "time"

const (
	// A timestamp may run ahead of its arrival: a client that was late to reach us
	// sends what it kept faster than real time.
	aheadLimit = 60 * time.Second
	// A jump ahead by more than this beyond what the clock on the wall
	// says is a new timestamp base and no silence.
	jumpLimit = 10 * time.Second
	// A stream that is late by so much for so long has had its clock stopped.
	lateLimit  = 500 * time.Millisecond
	lateWindow = 2 * time.Second
	latePause  = 200 * time.Millisecond // the same right after a signalled pause
)

// timeline maps the RTP timestamps of one stream to positions on the session's
// clock, in timestamp units from time zero. The timestamp is trusted as long
// as it is plausible; arrival decides only where the first packet lies, and where
// the timestamps start anew.
type timeline struct {
	clock  int
	ok     bool
	last   uint32        // timestamp placed last
	ext    int64         // the same, extended
	zero   int64         // position of extended timestamp 0
	end    int64         // position behind the packet placed last
	lastAt time.Duration // its arrival
	resume bool          // a signalled pause has ended since

	window time.Duration // start of the lateness window
	least  int64         // least lateness in it
	count  int
}

// place returns the position of a packet of the given length in timestamp units.
// moved tells that the timestamp base changed; ok is false for a packet so far ahead
// of time that it is better dropped.
func (t *timeline) place(ts uint32, length int64, at time.Duration) (pos int64, moved, ok bool) {
	now := ticks(at, t.clock)
	if !t.ok {
		t.anchor(ts, now)
		moved = true
	} else {
		moved = t.advance(ts, at, now)
	}
	pos = t.ext + t.zero
	if pos > now+ticks(aheadLimit, t.clock) {
		return 0, moved, false
	}
	t.lastAt, t.resume = at, false
	t.end = max(t.end, pos+length)
	return pos, moved, true
}

// advance extends the timestamp and renews the base where it must.
func (t *timeline) advance(ts uint32, at time.Duration, now int64) (moved bool) {
	step := int64(int32(ts - t.last))
	t.last, t.ext = ts, t.ext+step
	silence := t.ext + t.zero - t.end // over what is contiguous
	passed := now - ticks(t.lastAt, t.clock)
	late := now - (t.ext + t.zero)
	switch {
	case step < -int64(t.clock),
		silence > passed+ticks(jumpLimit, t.clock),
		t.resume && late > ticks(latePause, t.clock):
		t.anchor(ts, now)
		return true
	}
	return t.watch(late, at)
}

// watch notices a clock that stood still: a source that does not count its
// timestamps on while it is held. A mere burst after a stall catches up
// within the window.
func (t *timeline) watch(late int64, at time.Duration) bool {
	if t.count == 0 {
		t.window, t.least = at, late
	}
	t.least = min(t.least, late)
	t.count++
	if at-t.window < lateWindow || t.count < 10 {
		return false
	}
	least := t.least
	t.count = 0
	if least <= ticks(lateLimit, t.clock) {
		return false
	}
	t.zero += least
	return true
}

// anchor lets timestamp ts lie at position now, or behind what is placed already.
func (t *timeline) anchor(ts uint32, now int64) {
	t.last, t.ext = ts, int64(ts)
	t.zero = max(now, t.end) - t.ext
	t.ok = true
	t.count = 0
}

// reset forgets the timestamp base: another source or another clock follows.
func (t *timeline) reset(clock int) {
	if clock != t.clock && t.clock != 0 {
		t.end = t.end * int64(clock) / int64(t.clock)
	}
	t.clock, t.ok = clock, false
}

// at is the position of any timestamp near the last one, in seconds; false
// without a base.
func (t *timeline) at(ts uint32) (float64, bool) {
	if !t.ok {
		return 0, false
	}
	return float64(t.ext+int64(int32(ts-t.last))+t.zero) / float64(t.clock), true
}
