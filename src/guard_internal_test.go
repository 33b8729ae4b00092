package src

import (
	"testing"
	"time"

	"sidetrack/metadata"
)

// The time that a call may go on unrecorded stands still in a pause, and begins anew behind it.
func TestNoLimitInAPause(t *testing.T) {
	inFakeTime(t, SessionTimer{}, "", func(x *timed) {
		told := map[metadata.RecordingState]int{}
		x.do(func() {
			x.s.call.notify = func(state metadata.RecordingState, _ string) { told[state]++ }
			x.s.leg, x.s.guard = nil, guard{on: true, limit: 10 * time.Second}
			x.s.become(metadata.StateMoving, "lost")
		})
		after := func(d time.Duration, do func(), want int) {
			t.Helper()
			time.Sleep(d)
			x.do(func() {
				do()
				if n := told[metadata.StateUnrecorded]; n != want {
					t.Errorf("%v after the beginning it was told %d times that the call must end, wanted %d", x.since(), n, want)
				}
			})
		}
		must := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		after(8*time.Second, func() { must(x.s.pause(0)) }, 0)
		after(time.Minute, func() { must(x.s.resume()) }, 0)
		after(9*time.Second, func() {}, 0)
		after(2*time.Second, func() {}, 1)
	})
}
