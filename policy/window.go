package policy

import (
	"fmt"
	"strings"
	"time"
)

// Window is a time of the week in a zone: Monday to Friday, 08:00 to 18:00 in
// Berlin. It holds from From, inclusive, to Until, exclusive, on the clock that
// hangs on the wall there; one that goes over midnight belongs to the day it
// begins on. From equal to Until is the whole day.
type Window struct {
	Zone        *time.Location // nil: UTC
	Days        Days           // none set: every day
	From, Until time.Duration  // since midnight, 0 to 24 h
}

// Days is a set of days of the week, bit n for time.Weekday n.
type Days uint8

// Has reports whether the day is in the set; the empty set has all.
func (d Days) Has(day time.Weekday) bool { return d == 0 || d&(1<<day) != 0 }

// With adds a day.
func (d Days) With(day time.Weekday) Days { return d | 1<<day }

// String gives the days as they are written in a file.
func (d Days) String() string {
	var names []string
	for day := time.Monday; day <= time.Saturday+1; day++ {
		if wd := day % 7; d != 0 && d.Has(wd) {
			names = append(names, strings.ToLower(wd.String()[:3]))
		}
	}
	return strings.Join(names, ",")
}

// Holds reports whether t is in the window.
func (w Window) Holds(t time.Time) bool {
	zone := w.Zone
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	h, m, s := t.Clock()
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	today := t.Weekday()
	switch {
	case w.From == w.Until:
		return w.Days.Has(today)
	case w.From < w.Until:
		return w.Days.Has(today) && w.From <= clock && clock < w.Until
	}
	yesterday := (today + 6) % 7
	return w.Days.Has(today) && w.From <= clock || w.Days.Has(yesterday) && clock < w.Until
}

// String says the window in words.
func (w Window) String() string {
	day := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	when := "all day"
	if w.From != w.Until {
		when = day(w.From) + "-" + day(w.Until)
	}
	if w.Days != 0 {
		when = w.Days.String() + " " + when
	}
	if w.Zone != nil {
		when += " " + w.Zone.String()
	}
	return when
}
