package recorder

import (
	"testing"
	"time"
)

// A refresh of ours that is refused goes out again, and more than once, before the client gives the session up.
func TestRefusedRefreshComesInTime(t *testing.T) {
	for _, interval := range []int{1, 90, 1800} {
		timer := sessionTimer{interval: interval}
		at, times := timer.refreshAfter(), 0
		for refusals := 0; at+timer.againAfter(refusals) < timer.expiresAfter(); refusals++ {
			if timer.againAfter(refusals) < min(glare, time.Duration(interval)*time.Second/8) {
				t.Errorf("%d s: again after %v", interval, timer.againAfter(refusals))
			}
			at += timer.againAfter(refusals)
			times++
		}
		if times == 0 || interval > 1 && times < 2 {
			t.Errorf("%d s: %d times", interval, times)
		}
	}
}
