package txn

import (
	"math/rand/v2"
	"testing"
	"time"
)

// However timers are armed, armed anew and stopped, they come in the order of their times, each at the last that was set.
func TestTimersComeInOrder(t *testing.T) {
	var h timerHeap
	lane := &Lane{}
	timers := make([]*Timer, 200)
	armed := map[*Timer]time.Duration{}
	for i := range timers {
		timers[i] = &Timer{lane: lane}
	}
	for range 5000 {
		timer, at := timers[rand.IntN(len(timers))], time.Duration(rand.IntN(500))
		if _, pending := armed[timer]; pending && at < 100 {
			h.remove(timer)
			delete(armed, timer)
			continue
		}
		h.set(timer, at)
		armed[timer] = at
	}
	for at := range time.Duration(500) {
		for timer := h.due(at); timer != nil; timer = h.due(at) {
			if armed[timer] != at || timer.pos != 0 {
				t.Fatalf("due at %d, armed for %d, place %d", at, armed[timer], timer.pos)
			}
			delete(armed, timer)
		}
	}
	if len(armed) != 0 || len(h) != 0 {
		t.Errorf("%d timers have not come", len(armed))
	}
}

// What is only kept ends in company, and never too early.
func TestEndsComeTogether(t *testing.T) {
	lane := &Lane{epoch: time.Now(), layer: &Layer{cfg: Config{T1: 500 * time.Millisecond}}}
	ends := map[time.Duration]int{}
	for range 100 {
		timer := &Timer{}
		least := time.Since(lane.epoch) + 5*time.Second
		timer.outlast(lane, 5*time.Second)
		at := lane.timers[timer.pos-1].at
		if late := at - least; late < 0 || late > 250*time.Millisecond {
			t.Errorf("%v too late", late)
		}
		ends[at]++
	}
	if len(ends) > 10 {
		t.Errorf("100 of the same moment end at %d times", len(ends))
	}
}
