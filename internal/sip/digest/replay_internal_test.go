package digest

import (
	"testing"
	"time"
)

// However many sign in, what is kept of them is bounded; an answer whose nonce has been forgotten is asked anew, not taken.
func TestReplaysAreBounded(t *testing.T) {
	now := time.Now()
	var r replays
	old := seal{1}
	r.fresh(old, now.Unix(), 1, now)
	for i := range 3 * maxAnswered {
		r.fresh(seal{2, byte(i), byte(i >> 8), byte(i >> 16)}, now.Unix(), 1, now)
		if n := len(r.now) + len(r.before); n > 2*maxAnswered {
			t.Fatalf("%d nonces are kept", n)
		}
	}
	if r.fresh(old, now.Unix(), 1, now) || r.fresh(seal{3}, now.Unix(), 1, now) {
		t.Error("an answer to a nonce of before was taken")
	}
	if later := now.Add(2 * time.Second); !r.fresh(seal{4}, later.Unix(), 1, later) {
		t.Error("an answer to a new nonce was not taken")
	}
}
