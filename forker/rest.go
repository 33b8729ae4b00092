package forker

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A pair that has drained may rest: it stays bound, and read by its worker, until a later call takes it,
// which is spared opening, binding and closing two sockets. It is a free pair in every other respect.
//
//	free ──take──▶ used ──release──▶ draining ──silent for the drain time──▶ resting ──take──▶ used
//	  ▲                                  │ never silent, nobody to keep it for    │
//	  └────────────────close─────────────┴────────close: heard, or rested long ◀──┘
//
// Who speaks to a pair at rest has it closed, so that a flood finds nobody who reads it. A call gets one
// with nothing in its buffers: what was read before went to the route of the pair that was released
// (epollWorker.readOne).
const (
	restMost   = 512                     // pairs of a pool
	restFiles  = 64                      // one pair at most for so many descriptors that the process may have
	restRoom   = 64                      // pairs that are free besides; a range that runs short has none at rest
	restChoice = 16                      // so many a call can choose from, or it binds another: nobody is to foretell its ports
	restFor    = int64(10 * time.Second) // then it is closed
)

// shelf is where resting pairs lie: one worker reads them, and deaf ones have other buffers.
type shelf struct {
	worker uint16
	deaf   bool
}

// resting are the pairs of a pool at rest. Guarded by the pool's mu.
type resting struct {
	most  int
	n     int
	lying map[shelf][]*drainingPair
}

// rest lets a pair lie that has been silent for long enough, if it is wanted.
func (p *portPool) rest(d *drainingPair, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.resting
	last, _ := d.quiet.get()
	if p.retired || r.n >= r.most || p.unbound() < restRoom || now-last < p.drain || d.pair.deaf && d.listens {
		return false
	}
	p.drained(d)
	p.states[p.index(d.pair)] = portResting
	d.since, d.known, d.ripe = now, last, false
	if r.lying == nil {
		r.lying = make(map[shelf][]*drainingPair)
	}
	on := d.pair.shelf()
	r.lying[on] = append(r.lying[on], d)
	r.n++
	return true
}

// reuse gives a pair that rests, any of them; nil: there are too few.
func (p *portPool) reuse(on shelf) *portPair {
	for {
		d := p.wake(on)
		switch {
		case d == nil:
			return nil
		case !p.driver.unread(d.pair) && !d.disturbed():
			return &portPair{pool: p, port: d.pair.port, worker: on.worker, deaf: on.deaf, rtp: d.pair.rtp, rtcp: d.pair.rtcp}
		}
		p.mu.Lock()
		p.used--
		p.leave(d)
		p.mu.Unlock()
		d.pair.close(func() { p.free(d, p.now()) })
	}
}

// wake takes a pair from its shelf, to be used.
func (p *portPool) wake(on shelf) *drainingPair {
	p.mu.Lock()
	defer p.mu.Unlock()
	lie := p.resting.lying[on]
	if len(lie) < restChoice {
		return nil
	}
	i, last := rand.IntN(len(lie)), len(lie)-1
	d := lie[i]
	lie[i], lie[last] = lie[last], nil
	p.resting.lying[on] = lie[:last]
	p.resting.n--
	p.states[p.index(d.pair)] = portUsed
	p.used++
	return d
}

// disturbed tells whether somebody has spoken to a pair since it rests.
func (d *drainingPair) disturbed() bool {
	last, _ := d.quiet.get()
	return last != d.known
}

// rouse closes the pairs at rest of which that is true.
func (p *portPool) rouse(is func(*drainingPair) bool) {
	p.mu.Lock()
	var up []*drainingPair
	for on, lie := range p.resting.lying {
		p.resting.lying[on] = slices.DeleteFunc(lie, func(d *drainingPair) bool {
			if is(d) {
				up = append(up, d)
				return true
			}
			return false
		})
	}
	p.resting.n -= len(up)
	for _, d := range up {
		p.leave(d)
	}
	p.mu.Unlock()
	for _, d := range up {
		d.pair.close(func() { p.free(d, p.now()) })
	}
}

// rouseAll closes all pairs at rest: ports or descriptors are short.
func (p *portPool) rouseAll() { p.rouse(func(*drainingPair) bool { return true }) }

// leave has a pair that is about to be closed count as draining; the caller holds mu.
func (p *portPool) leave(d *drainingPair) {
	p.states[p.index(d.pair)] = portDraining
	d.ripe = true
	p.drains(d)
}

// retire closes the pairs at rest; no other will rest.
func (p *portPool) retire() {
	p.mu.Lock()
	p.retired = true
	p.mu.Unlock()
	p.rouseAll()
}

// unbound is how many pairs are free and not bound; the caller holds mu.
func (p *portPool) unbound() int {
	return len(p.states) - p.used - len(p.draining) - p.resting.n - p.held
}

// short tells whether pairs at rest are in the way of those that want one of another kind.
func (p *portPool) short() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resting.n > 0 && p.unbound() < restRoom
}
