package src

import (
	"reflect"
	"testing"
)

// What each recorded call keeps for as long as it lives. What is needed for a
// while only goes behind a pointer that is let go.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		of   any
		most uintptr
	}{{Session{}, 1408}, {stream{}, 512}, {call{}, 288}, {attempt{}, 192}, {shownStream{}, 64}, {agreement{}, 32}} {
		if kind := reflect.TypeOf(c.of); kind.Size() > c.most {
			t.Errorf("%s: %d octets, %d at most", kind.Name(), kind.Size(), c.most)
		}
	}
}
