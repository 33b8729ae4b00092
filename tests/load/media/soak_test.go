//go:build linux

package main

import (
	"math/rand/v2"
	"testing"
)

// An hour of samples: a leak of 200 octets a call is found, what wavers is not taken for one.
func TestFlat(t *testing.T) {
	const base, perHalfSecond = 60e6, 7
	for _, tt := range []struct {
		name string
		leak float64 // octets a call
		want bool
	}{
		{"steady", 0, true},
		{"full after ten minutes", -1, true},
		{"leak", 200, false},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		var heaps []sample
		calls := 300
		for range 2 * 3550 {
			calls += perHalfSecond
			grown := tt.leak * float64(calls)
			if tt.leak < 0 {
				grown = 4000 * float64(min(calls, 8000))
			}
			heaps = append(heaps, sample{base + grown + 4e6*r.Float64(), calls})
		}
		if err := flat(heaps); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// While the histories fill up the heap may grow with them.
func TestFlatAllowsHistories(t *testing.T) {
	var heaps []sample
	for calls := 300; calls < remembered; calls += 30 {
		heaps = append(heaps, sample{60e6 + memory/2*float64(calls), calls})
	}
	if err := flat(heaps); err != nil {
		t.Error(err)
	}
}
