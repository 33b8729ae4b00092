package hep

import (
	"testing"
	"time"
)

// What has ended is known for two minutes more, what lives as long as it does.
func TestKin(t *testing.T) {
	now := time.Unix(0, 0)
	k := newKin()
	k.now = func() time.Time { return now }
	k.relate("rs", "call")
	k.relate("live", "call")
	k.relate("call", "call")
	k.forget("rs")
	k.forget("unknown")
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{time.Minute, "call"}, {time.Minute, "call"}, {time.Second, "rs"}} {
		now = now.Add(step.after)
		k.relate("other", "call")
		if got := k.of([]byte("rs")); got != step.want {
			t.Errorf("at %v: %s", now, got)
		}
	}
	if k.of([]byte("live")) != "call" || len(k.calls) != 2 || k.ended != nil {
		t.Errorf("%v %v", k.calls, k.ended)
	}
}
