package b2bua

import "testing"

func TestPaceOfRefreshes(t *testing.T) {
	for _, tc := range []struct {
		seconds int
		ours    bool
		want    int
	}{
		{1800, true, 900}, {1800, false, 1080}, {90, true, 45}, {90, false, 54},
		{60, true, 30}, {60, false, 36}, // less than the RFC allows, but it works between the parties
		{10, true, 5}, {10, false, 6}, {2, true, 1}, {2, false, 1},
		{1, true, 1}, {1, false, 1},
		{1<<31 - 1, true, 12 * 3600}, {1<<31 - 1, false, 51840},
	} {
		if got := pace(tc.seconds, tc.ours); got != tc.want {
			t.Errorf("session of %d s, refreshed by us %t: after %d s, want %d", tc.seconds, tc.ours, got, tc.want)
		}
	}
}
