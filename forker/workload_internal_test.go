package forker

import (
	"testing"
	"time"
)

// worked lets a second pass in which a worker waits for the given share.
func (l *workload) worked(now *int64, share float64) {
	l.waits(*now)
	*now += int64((1 - share) * float64(time.Second))
	l.works(*now)
	*now += int64(share * float64(time.Second))
}

// One worker as long as that is enough, then the next; the first again when its
// load has gone.
func TestWorkersFollowTheLoad(t *testing.T) {
	loads := []*workload{{}, {}}
	p := &placement{loads: loads}
	now := int64(1)
	for _, step := range []struct {
		busy [2]float64
		want int
	}{{[2]float64{0, 0}, 0}, {[2]float64{.39, 0}, 0}, {[2]float64{.41, 0}, 1}, {[2]float64{.39, .3}, 0}, {[2]float64{.8, 0}, 1}, {[2]float64{.8, .5}, 1}, {[2]float64{.9, .8}, 1}, {[2]float64{.8, .9}, 0}, {[2]float64{.5, .9}, 0}} {
		at := now
		for i, l := range loads {
			now = at
			l.worked(&now, step.busy[i])
		}
		worker := p.place(now)
		if worker != step.want {
			t.Errorf("busy %v: a relay goes to worker %d", step.busy, worker)
		}
		p.leave(worker)
	}
}

// Relays that have no media yet count, or a thousand that ring would all begin to
// talk on one worker.
func TestSilentRelaysAreReckonedWith(t *testing.T) {
	p := &placement{loads: []*workload{{}, {}}}
	for _, l := range p.loads {
		l.waits(1)
	}
	for range 1000 {
		p.place(int64(time.Hour))
	}
	if a, b := p.loads[0].relays, p.loads[1].relays; a+b != 1000 || a < 400 || b < 400 {
		t.Errorf("%d and %d", a, b)
	}
}

// A worker that waits on and on is idle, though it has not noted the end of it.
func TestWaitingIsIdle(t *testing.T) {
	l := &workload{}
	l.waits(1)
	if busy := l.expected(int64(time.Minute)); busy > .01 {
		t.Errorf("%v busy", busy)
	}
}
