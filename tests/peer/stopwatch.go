package peer

import (
	"sync"
	"testing"
	"time"
)

// Stopwatch tells how long something takes where there is time for it. It stands still while this process does not get
// the processor, so a limit held against it is about what is waited for, and no busy machine breaks it. On a quiet
// machine it shows what a clock shows.
type Stopwatch struct {
	stop chan struct{}
	once sync.Once
	done sync.WaitGroup
	took time.Duration // read after done
}

// watchStep is how often a Stopwatch looks at the clock; a step of more than two of them is one in which it was held up.
const watchStep = 5 * time.Millisecond

// StartStopwatch starts one; it ends with Took, or with the test.
func StartStopwatch(t testing.TB) *Stopwatch {
	w := &Stopwatch{stop: make(chan struct{})}
	t.Cleanup(func() { w.Took() })
	last := time.Now()
	w.done.Go(func() {
		tick := time.NewTicker(watchStep)
		defer tick.Stop()
		for ended := false; !ended; {
			select {
			case <-tick.C:
			case <-w.stop:
				ended = true
			}
			step := time.Since(last)
			last = last.Add(step)
			if step > 2*watchStep {
				step = watchStep
			}
			w.took += step
		}
	})
	return w
}

// Took stops the watch and tells its time.
func (w *Stopwatch) Took() time.Duration {
	w.once.Do(func() { close(w.stop) })
	w.done.Wait()
	return w.took
}
