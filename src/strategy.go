package src

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// Strategy says in which order the SRSs of a recorder are asked for a new
// session; the first of them gets it, the others are there for its failure.
type Strategy string

// The strategies; "" means StrategyOrdered.
const (
	StrategyOrdered       Strategy = "ordered"        // as they are listed
	StrategyRoundRobin    Strategy = "round-robin"    // each session begins one further on
	StrategyWeighted      Strategy = "weighted"       // drawn by lot, by Weights
	StrategyLeastSessions Strategy = "least-sessions" // who has the fewest sessions of ours first
	StrategyHash          Strategy = "hash"           // the Call-ID of the call says where to begin
)

// choose gives the order for one call.
func (h *health) choose(r *Recorder, callID string) []int {
	n := len(r.SRS)
	switch r.Strategy {
	case StrategyRoundRobin:
		return from(h.turn(r.Name), n)
	case StrategyWeighted:
		return draw(r.Weights, n, rand.IntN)
	case StrategyLeastSessions:
		plan := from(0, n)
		slices.SortStableFunc(plan, func(a, b int) int {
			return cmp.Compare(h.sessions(r.Name, r.SRS[a]), h.sessions(r.Name, r.SRS[b]))
		})
		return plan
	case StrategyHash:
		sum := fnv.New32a()
		sum.Write([]byte(callID))
		return from(int(sum.Sum32()%uint32(n)), n)
	}
	return from(0, n)
}

// from is 0 to n-1, beginning with first and going round.
func from(first, n int) []int {
	plan := make([]int, n)
	for i := range plan {
		plan[i] = (first + i) % n
	}
	return plan
}

// draw draws all places, each time by the weights of those that are left. One of
// weight 0 comes after the others.
func draw(weights []int, n int, intN func(int) int) []int {
	weight := func(i int) int {
		if i < len(weights) {
			return weights[i]
		}
		return 1
	}
	left, plan := from(0, n), make([]int, 0, n)
	for len(left) > 0 {
		total := 0
		for _, i := range left {
			total += weight(i)
		}
		if total == 0 {
			return append(plan, left...)
		}
		lot := intN(total)
		at := slices.IndexFunc(left, func(i int) bool { lot -= weight(i); return lot < 0 })
		plan = append(plan, left[at])
		left = slices.Delete(left, at, at+1)
	}
	return plan
}

// turn counts the sessions of a recorder.
func (h *health) turn(recorder string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.turns[recorder]
	h.turns[recorder] = n + 1
	return n
}

func (h *health) sessions(recorder, srs string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of(recorder, srs).sessions
}
