package src

import (
	"slices"
	"testing"
	"time"
)

// An SRS that has asked to be left alone, and takes a session all the same, is one to be asked again: it has room.
func TestWorksAgain(t *testing.T) {
	now := time.Unix(1e9, 0)
	h := newHealth(func() time.Time { return now })
	r := &Recorder{Name: "main", SRS: []string{"a", "b"}}
	plan := func(want ...int) {
		t.Helper()
		if got := h.sort(r, []int{0, 1}); !slices.Equal(got, want) {
			t.Errorf("asked in the order %v, wanted %v", got, want)
		}
	}
	h.busy("main", "a", time.Hour)
	plan(1)
	h.busy("main", "b", time.Hour)
	if wait := h.resting(r); wait != time.Hour {
		t.Errorf("both rest for %v", wait)
	}
	h.worked("main", "a")
	plan(0)
	if wait := h.resting(r); wait != 0 {
		t.Errorf("nobody may be asked for %v, though one has worked", wait)
	}
	for range failuresTolerated {
		h.failed("main", "a")
	}
	plan(0) // poor, and not alone
	h.worked("main", "b")
	plan(1, 0)
	h.worked("main", "a")
	plan(0, 1)
}
