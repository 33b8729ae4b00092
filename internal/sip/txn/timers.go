package txn

import "time"

// Timer is a pending call on a lane. Its methods belong to that lane's goroutine.
type Timer struct {
	at   time.Duration // since the lane's epoch
	pos  int           // place in the heap plus one; 0 when not pending
	lane *Lane

	f     func()  // of After
	owner expirer // of a transaction; f is nil then
}

// expirer is a transaction whose timer has run out.
type expirer interface{ expired(t *Timer) }

// Stop cancels the call if it has not been made. It may be called again and on nil.
func (t *Timer) Stop() {
	if t != nil && t.pos != 0 {
		t.lane.timers.remove(t)
	}
}

// Again has what After was given called once more, d from now.
func (t *Timer) Again(d time.Duration) { t.set(t.lane, d) }

func (t *Timer) fire() {
	if t.f != nil {
		t.f()
		return
	}
	t.owner.expired(t)
}

// set arms t anew. The owner must be set before.
func (t *Timer) set(l *Lane, d time.Duration) {
	t.Stop()
	t.lane = l
	t.at = time.Since(l.epoch) + d
	l.timers.add(t)
}

// timerHeap is a binary heap by time; timers know their place, so that a
// stopped one leaves at once and takes its transaction along.
type timerHeap []*Timer

func (h *timerHeap) add(t *Timer) {
	*h = append(*h, t)
	t.pos = len(*h)
	h.up(t.pos - 1)
}

func (h *timerHeap) remove(t *Timer) {
	i, last := t.pos-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	t.pos = 0
	if i < last {
		h.down(i)
		h.up(i)
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
	t := (*h)[0]
	h.remove(t)
	return t
}

func (h *timerHeap) swap(i, j int) {
	s := *h
	s[i], s[j] = s[j], s[i]
	s[i].pos, s[j].pos = i+1, j+1
}

func (h *timerHeap) up(i int) {
	for s := *h; i > 0; {
		parent := (i - 1) / 2
		if s[parent].at <= s[i].at {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *timerHeap) down(i int) {
	for s := *h; ; {
		child := 2*i + 1
		if child >= len(s) {
			return
		}
		if child+1 < len(s) && s[child+1].at < s[child].at {
			child++
		}
		if s[i].at <= s[child].at {
			return
		}
		h.swap(i, child)
		i = child
	}
}
