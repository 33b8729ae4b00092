//go:build linux

package traffic

import (
	"math/bits"
	"time"
)

// Result is what a window showed, complete after Close.
type Result struct {
	Window            time.Duration
	Sent              uint64 // packets, both directions
	Copies            uint64 // of them that were to come to recorders
	LostFar, LostCopy uint64 // not at the other party, not at a recorder
	Duplicates        uint64
	Misplaced         uint64 // came to somebody else
	SendFailures      uint64
	Relay, Copy       Histogram // from sending to arrival, at the first recorder
	Late              Histogram // how late the sender woke
}

// Result adds everything up.
func (l *Load) Result() Result {
	r := Result{Window: time.Duration(l.to.Load() - l.from.Load()), SendFailures: l.failures.Load(),
		Relay: l.delay[Far], Late: l.late}
	if l.cfg.Copies > 0 {
		r.Copy = l.delay[Recorder]
	}
	for i := range l.streams {
		n := uint64(l.streams[i].inWindow)
		r.Sent += n
		r.LostFar += n - min(n, uint64(l.heard[Far][i].inWindow))
		for recorder := range l.cfg.Recorders() {
			if !l.cfg.Copied(recorder, Direction(i%2)) {
				continue
			}
			r.Copies += n
			r.LostCopy += n - min(n, uint64(l.heard[Recorder+Place(recorder)][i].inWindow))
		}
		for p := range l.heard {
			r.Duplicates += uint64(l.heard[p][i].duplicates)
			r.Misplaced += uint64(l.heard[p][i].misplaced)
		}
	}
	return r
}

// Histogram counts durations in steps of about 3 %.
type Histogram struct {
	counts [64 * steps]uint64
	n      uint64
	max    int64
}

const steps = 32

// Add counts a duration in nanoseconds; negative ones count as 0.
func (h *Histogram) Add(ns int64) {
	ns = max(ns, 0)
	h.counts[bucket(uint64(ns))]++
	h.n++
	h.max = max(h.max, ns)
}

// bucket: the position of the highest bit, and the five bits below it.
func bucket(v uint64) int {
	if v < steps {
		return int(v)
	}
	high := bits.Len64(v) - 1
	return (high-4)*steps + int(v>>(high-5))&(steps-1)
}

func lower(b int) int64 {
	if b < steps {
		return int64(b)
	}
	high := b/steps + 4
	return 1<<high | int64(b%steps)<<(high-5)
}

// Quantile gives the duration that a share of all did not exceed.
func (h *Histogram) Quantile(share float64) time.Duration {
	left := uint64(share * float64(h.n))
	for b, n := range h.counts {
		if left < n {
			return time.Duration(min(lower(b), h.max))
		}
		left -= n
	}
	return time.Duration(h.max)
}

// Max is the longest.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }
