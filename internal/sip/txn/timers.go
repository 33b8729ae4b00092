package txn

import "time"

// Timer is a pending call on a lane. Its methods belong to that lane's goroutine.
type Timer struct {
	pos   int // place in the heap plus one; 0 when not pending
	lane  *Lane
	owner expirer
}

// expirer is a transaction whose timer has run out.
type expirer interface{ expired(t *Timer) }

// call is the owner of a Timer that After has made.
type call func()

func (f call) expired(*Timer) { f() }

// Stop cancels the call if it has not been made. It may be called again and on nil.
func (t *Timer) Stop() {
	if t != nil && t.pos != 0 {
		t.lane.timers.remove(t)
	}
}

// Again has what After was given called once more, d from now.
func (t *Timer) Again(d time.Duration) { t.set(t.lane, d) }

func (t *Timer) fire() { t.owner.expired(t) }

// set arms t, or arms it anew. The owner must be set before; the lane is always the same.
func (t *Timer) set(l *Lane, d time.Duration) {
	t.lane = l
	l.timers.set(t, time.Since(l.epoch)+d)
}

// outlast arms t for when d has passed, or a little later: for the end of what is only kept. Ends that are near each
// other come at once, so that a lane is woken for many of them.
func (t *Timer) outlast(l *Lane, d time.Duration) {
	step := l.layer.cfg.T1 / 4
	end := time.Since(l.epoch) + d + step - 1
	t.lane = l
	l.timers.set(t, end-end%step)
}

// timerHeap is a binary heap by time; timers know their place, so that a
// stopped one leaves at once and takes its transaction along.
type timerHeap []pending

// pending is an armed timer. The time stands here, so that comparing does not touch the timers.
type pending struct {
	at    time.Duration // since the lane's epoch
	timer *Timer
}

func (h *timerHeap) set(t *Timer, at time.Duration) {
	if t.pos == 0 {
		*h = append(*h, pending{timer: t})
		t.pos = len(*h)
	}
	(*h)[t.pos-1].at = at
	h.settle(t.pos - 1)
}

func (h *timerHeap) remove(t *Timer) {
	i, last := t.pos-1, len(*h)-1
	h.put(i, (*h)[last])
	(*h)[last] = pending{}
	*h = (*h)[:last]
	t.pos = 0
	if i < last {
		h.settle(i)
	}
	if cap(*h) > 1024 && len(*h) < cap(*h)/4 {
		*h = append(make(timerHeap, 0, cap(*h)/2), *h...)
	}
}

// due takes out the first timer if its time has come.
func (h *timerHeap) due(now time.Duration) *Timer {
	if len(*h) == 0 || (*h)[0].at > now {
		return nil
	}
	t := (*h)[0].timer
	h.remove(t)
	return t
}

func (h timerHeap) put(i int, p pending) {
	h[i] = p
	p.timer.pos = i + 1
}

// settle moves the one at i to where it belongs.
func (h timerHeap) settle(i int) {
	p := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= p.at {
			break
		}
		h.put(i, h[parent])
		i = parent
	}
	for {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1].at < h[child].at {
			child++
		}
		if child >= len(h) || p.at <= h[child].at {
			break
		}
		h.put(i, h[child])
		i = child
	}
	h.put(i, p)
}
