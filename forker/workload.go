package forker

import (
	"sync"
	"sync/atomic"
	"time"
)

// workload is how busy a worker is, as new relays go by it: what was measured,
// and at least what its relays will cost once they all talk and are recorded,
// because one that rings costs nothing yet.
type workload struct {
	// written by the worker
	idle  atomic.Int64 // nanoseconds spent waiting
	since atomic.Int64 // when it began to wait; 0: it works

	// guarded by placement.mu
	relays int
	at     int64 // of the last measurement
	before int64 // idle then
	busy   float64
}

const (
	loadEach  = int64(250 * time.Millisecond) // between measurements of one worker
	enough    = 0.40                          // of a processor: behind one that has more to do, a burst waits longer than between two (measured)
	relayCost = 0.0015                        // of a processor: G.711 both ways, recorded
)

// waits and works are the worker's notes around its waiting.
func (l *workload) waits(now int64) { l.since.Store(now) }

func (l *workload) works(now int64) {
	l.idle.Add(now - l.since.Load())
	l.since.Store(0)
}

// expected is the share of a processor that the worker is to be reckoned with.
func (l *workload) expected(now int64) float64 {
	if now-l.at >= loadEach {
		idle := l.idle.Load()
		if since := l.since.Load(); since != 0 {
			idle += now - since
		}
		l.busy = min(max(1-float64(idle-l.before)/float64(now-l.at), 0), 1)
		l.at, l.before = now, idle
	}
	return max(l.busy, relayCost*float64(l.relays))
}

// placement spreads relays over workers: the first one that has not enough to do
// yet, as few busy workers are cheaper than many that hardly sleep before they
// wake again; when all have, the one with the least.
type placement struct {
	mu    sync.Mutex
	loads []*workload
}

// place chooses the worker of a new relay.
func (p *placement) place(now int64) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	best, least := 0, 0.
	for i, l := range p.loads {
		load := l.expected(now)
		if i == 0 || load < least {
			best, least = i, load
		}
		if load < enough {
			best = i
			break
		}
	}
	p.loads[best].relays++
	return best
}

// leave takes a relay off a worker's load.
func (p *placement) leave(worker int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loads[worker].relays--
}
