package main

import (
	"runtime/debug"
	"testing"
)

func TestPace(t *testing.T) {
	last := 0
	for _, mb := range []float64{0, 4, 10, 20, 60, 1000} {
		percent := pace(mb * (1 << 20))
		if percent < last || percent < 10 || percent > 200 {
			t.Errorf("%v MB/s: %d percent after %d", mb, percent, last)
		}
		last = percent
	}
	if pace(0) == last {
		t.Error("a flood has the room of silence")
	}
}

func TestCollectingLeavesNothing(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	collecting()()
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("the percentage stays at %d", now)
	}
	t.Setenv("GOGC", "70")
	end := collecting()
	defer end()
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("%d against the will of GOGC", now)
	}
}
