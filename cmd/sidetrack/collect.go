package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	paceEach = 250 * time.Millisecond // how often the pace of garbage collection is looked at
	paceCalm = 8                      // so often less must do before it gets less: a change stops the world for a moment
	paceRest = 45 * time.Second       // how long transactions and recordings outlive their calls, with some to spare
)

// pace is how much the heap may grow between two collections, in percent of
// what is in use, for a process that allocates rate bytes a second.
//
// What a collection costs grows with the heap, how often it comes with rate
// over heap and percent: together rate/percent, whatever the heap. Calls that
// only talk allocate nothing, and hundreds of them need not keep as much garbage
// as they hold; a flood of new ones gets room, so that the collector has
// about a fiftieth of a processor in both cases.
func pace(rate float64) int {
	const mb = 1 << 20
	switch {
	case rate < mb:
		return 10
	case rate < 4*mb:
		return 25
	case rate < 8*mb:
		return 50
	case rate < 16*mb:
		return 100
	}
	return 200
}

// collecting keeps the pace, and the heap below the memory that there is, until its end
// is called, which waits for that.
// Whoever sets GOGC or GOMEMLIMIT has said better.
func collecting() (end func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	unlimited := debug.SetMemoryLimit(-1)
	if limit := memoryLimit(os.DirFS("/")); limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		collect(stop)
	}()
	return func() {
		close(stop)
		<-done
		debug.SetMemoryLimit(unlimited)
	}
}

func collect(stop <-chan struct{}) {
	now := pace(0)
	before := debug.SetGCPercent(now)
	defer debug.SetGCPercent(before)
	tick := time.NewTicker(paceEach)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	allocated, at, calm := sample[0].Value.Uint64(), time.Now(), 0
	var calmed time.Time // when calls stopped coming; zero once what they left has been let go
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		newest, moment := sample[0].Value.Uint64(), time.Now()
		percent := pace(float64(newest-allocated) / moment.Sub(at).Seconds())
		allocated, at = newest, moment
		if percent >= now {
			calm = 0
		} else {
			calm++
		}
		if percent > now || calm == paceCalm {
			debug.SetGCPercent(percent)
			now, calm = percent, 0
			if now == pace(0) { // what came fast has left room that nobody needs now
				debug.FreeOSMemory()
				calmed = moment
			}
		}
		if now > pace(0) {
			calmed = time.Time{}
		}
		if !calmed.IsZero() && moment.Sub(calmed) > paceRest { // nothing else would collect: little is allocated now
			debug.FreeOSMemory()
			calmed = time.Time{}
		}
	}
}
