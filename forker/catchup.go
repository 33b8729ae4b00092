package forker

import "time"

// How fast a backlog leaves. Packets of the source drive it, so that the pace
// follows theirs; behind a silent source the sweep does.
const (
	catchUpPace  = 4    // packets that leave for one that comes
	catchUpSlow  = 2    // the same while many taps catch up at once
	catchUpIdle  = 32   // per sweep, when nothing comes,
	catchUpLast  = 64   // and when nothing will; more at once would overrun the recorder's socket
	catchUpShare = 5000 // per sweep and worker: sends above which taps go slow
	idleAfter    = int64(100 * time.Millisecond)
)

// keep puts a packet into the backlog. When that is full the oldest ones make
// room; they keep their numbers, so that the recorder sees a loss.
func (t *Tap) keep(b []byte, h *header, clock, now int64) {
	q := &t.backlog
	for q.full(now) {
		t.shed()
	}
	for !q.push(b, h, clock, now) {
		if t.replay.release() {
			continue
		}
		if q.n == 0 {
			t.giveUp(h, clock, now)
			return
		}
		t.shed()
	}
}

// shed gives the oldest packet of the backlog up.
func (t *Tap) shed() {
	r := t.backlog.peek()
	if r.cut {
		t.nums.pause()
	}
	if h, ok := readHeader(r.b); ok {
		t.giveUp(&h, r.clock, r.at)
	} else {
		t.drop(DropBufferFull)
	}
	t.backlog.pop()
	t.settle()
}

// catchUp sends up to n packets: what is to be sent again, then those of the
// backlog, as they would have been sent when they came.
func (t *Tap) catchUp(n int, now int64) {
	if t.withheld {
		return
	}
	for ; n > 0 && t.replay.ahead > 0 && t.rtp.IsValid(); n-- {
		t.repeat(now)
	}
	for ; n > 0 && t.backlog.n > 0 && t.rtp.IsValid(); n-- {
		t.emitOldest(now)
	}
	t.flush(now)
	t.settle()
}

// emitOldest sends the oldest packet of the backlog. It is gone then also where a fault of ours was met in it, which would
// be met again and again.
func (t *Tap) emitOldest(now int64) {
	defer t.backlog.pop()
	r := t.backlog.peek()
	if r.cut {
		t.nums.pause()
	}
	if h, ok := readHeader(r.b); ok {
		t.emit(r.b, &h, r.clock, r.at, now)
	}
}

// settle hands a pause behind the backlog to the numbering once it is its turn.
func (t *Tap) settle() {
	if t.backlog.n == 0 && t.backlog.cut {
		t.backlog.cut = false
		t.nums.pause()
	}
}

// pace is how many packets may leave now for the one that came.
func (t *Tap) pace() int {
	if t.relay.engine.hasty.Add(-catchUpPace) < 0 {
		return catchUpSlow
	}
	return catchUpPace
}

// catchUpIdle lets the backlog of a source that has fallen silent leave.
func (t *Tap) catchUpIdle(now int64) {
	if !t.waiting() || now-t.heard <= idleAfter {
		return
	}
	switch {
	case t.until == 0:
		t.catchUp(catchUpIdle, now)
	case now-t.rested > idleAfter:
		t.rested = now
		t.catchUp(catchUpLast, now)
	}
}

// leave is shut for a tap whose relay is closed. What is kept may leave still,
// for a while; its owner closes it, else the sweep.
func (t *Tap) leave(now int64) {
	t.flush(now)
	if t.cfg.Linger <= 0 || !t.waiting() {
		t.shut()
		return
	}
	t.duet.end() // nobody speaks any more
	t.until = now + int64(t.cfg.Linger)
}

// sweepLeaving does what has become due on the taps of a closed relay. The
// caller holds its mutex.
func (r *Relay) sweepLeaving(now int64) {
	for i := len(r.taps) - 1; i >= 0; i-- {
		t := r.taps[i]
		t.sendReports(now)
		t.catchUpIdle(now)
		if now >= t.until {
			t.shut()
		}
	}
}
