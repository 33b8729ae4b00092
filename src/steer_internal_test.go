package src

import (
	"testing"
	"time"

	"sidetrack/policy"
)

func TestKeyLog(t *testing.T) {
	codes := map[policy.Action]string{policy.ActionPause: "*1", policy.ActionResume: "*22", policy.ActionStop: "9"}
	for name, tt := range map[string]struct {
		keys string // a blank is a wait that is too long
		want []policy.Action
	}{
		"one":                 {"*1", []policy.Action{policy.ActionPause}},
		"after others":        {"12*345*1", []policy.Action{policy.ActionPause}},
		"begun twice":         {"**1", []policy.Action{policy.ActionPause}},
		"three keys":          {"*22", []policy.Action{policy.ActionResume}},
		"too slow":            {"* 1", nil},
		"slow, then anew":     {"* *1", []policy.Action{policy.ActionPause}},
		"one key":             {"9", []policy.Action{policy.ActionStop}},
		"one after the other": {"*1*229", []policy.Action{policy.ActionPause, policy.ActionResume, policy.ActionStop}},
		"none":                {"0123456780123456780#", nil},
	} {
		var log keyLog
		now := time.Unix(1, 0)
		var got []policy.Action
		for _, k := range []byte(tt.keys) {
			if k == ' ' {
				now = now.Add(between + time.Millisecond)
				continue
			}
			now = now.Add(between)
			if a, ok := log.press(k, now, codes); ok {
				got = append(got, a)
			}
			if len(log.keys) > 3 {
				t.Errorf("%s: keeps %d keys", name, len(log.keys))
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
	}
}
