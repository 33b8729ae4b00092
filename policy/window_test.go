package policy_test

import (
	"fmt"
	"testing"
	"time"

	"sidetrack/policy"
)

func TestWindow(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	workdays := policy.Days(0).With(time.Monday).With(time.Tuesday).With(time.Wednesday).With(time.Thursday).With(time.Friday)
	office := policy.Window{Zone: berlin, Days: workdays, From: 8 * time.Hour, Until: 18 * time.Hour}
	night := policy.Window{Zone: berlin, Days: policy.Days(0).With(time.Friday), From: 22 * time.Hour, Until: 6 * time.Hour}
	sunday := policy.Window{Days: policy.Days(0).With(time.Sunday)}
	for _, c := range []struct {
		w    policy.Window
		at   string
		want bool
	}{
		{office, "2026-11-20T07:00:00Z", true},  // Friday, 08:00 in winter
		{office, "2026-11-20T06:59:59Z", false}, //
		{office, "2026-07-17T06:00:00Z", true},  // Friday, 08:00 in summer
		{office, "2026-11-20T16:59:59Z", true},
		{office, "2026-11-20T17:00:00Z", false}, // 18:00 is no longer in it
		{office, "2026-11-21T10:00:00Z", false}, // Saturday
		{night, "2026-11-20T21:00:00Z", true},   // Friday 22:00
		{night, "2026-11-21T04:59:59Z", true},   // the same night, Saturday 05:59
		{night, "2026-11-21T05:00:00Z", false},
		{night, "2026-11-20T04:00:00Z", false}, // Thursday's night
		{night, "2026-11-21T21:00:00Z", false}, // Saturday 22:00
		{sunday, "2026-11-22T00:00:00Z", true},
		{sunday, "2026-11-21T23:59:59Z", false},
		{policy.Window{}, "2026-11-21T23:59:59Z", true},
		// The night in which the clock goes back: 02:30 comes twice and is outside twice.
		{policy.Window{Zone: berlin, From: 3 * time.Hour, Until: 4 * time.Hour}, "2026-10-25T00:30:00Z", false},
		{policy.Window{Zone: berlin, From: 3 * time.Hour, Until: 4 * time.Hour}, "2026-10-25T01:30:00Z", false},
		{policy.Window{Zone: berlin, From: 3 * time.Hour, Until: 4 * time.Hour}, "2026-10-25T02:00:00Z", true},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.w.Holds(at); got != c.want {
			t.Errorf("%v at %s: %v, want %v", c.w, c.at, got, c.want)
		}
	}
	if got := office.String(); got != "mon,tue,wed,thu,fri 08:00-18:00 Europe/Berlin" {
		t.Errorf("in words: %s", got)
	}
	if got := sunday.String(); got != "sun all day" {
		t.Errorf("in words: %s", got)
	}
}

// The shares come out as asked, whatever the Call-IDs have in common, and a
// smaller share is within a larger one.
func TestShare(t *testing.T) {
	for name, id := range map[string]func(int) string{
		"counted":  func(i int) string { return fmt.Sprintf("%d@192.0.2.1", i) },
		"suffixed": func(i int) string { return fmt.Sprintf("a84b4c76e66710-%08x", i) },
	} {
		const calls = 100_000
		for _, percent := range []int{1, 10, 50, 99} {
			share, taken := policy.Everything/100*policy.Share(percent), 0
			for i := range calls {
				if !share.Takes(id(i)) {
					continue
				}
				taken++
				if !(share + 1000).Takes(id(i)) {
					t.Fatalf("%s: a call is in %d %% and not in one more", name, percent)
				}
			}
			if off := taken*100 - percent*calls; off > calls/2 || off < -calls/2 {
				t.Errorf("%s: %d of %d calls taken for %d %%", name, taken, calls, percent)
			}
		}
		if policy.Share(0).Takes(id(1)) || !policy.Everything.Takes(id(1)) {
			t.Errorf("%s: nothing and everything", name)
		}
	}
}
