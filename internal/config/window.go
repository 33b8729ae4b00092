package config

import (
	"strings"
	"time"

	"sidetrack/policy"
)

// windows reads one window or a list of them.
func (c cursor) windows() []policy.Window {
	if c.n.kind != list {
		if w, ok := c.window(); ok {
			return []policy.Window{w}
		}
		return nil
	}
	var out []policy.Window
	for _, item := range c.items("windows") {
		if w, ok := item.window(); ok {
			out = append(out, w)
		}
	}
	if len(c.n.items) == 0 {
		c.failf("is empty; write days, hours or both, or remove it")
	}
	return out
}

func (c cursor) window() (w policy.Window, ok bool) {
	w.Zone = time.Local
	ok = c.read(fields{
		{"days", func(c cursor) { w.Days = c.days() }},
		{"hours", func(c cursor) { w.From, w.Until = c.hours() }},
		{"zone", func(c cursor) {
			s, ok := c.word("a time zone such as Europe/Berlin")
			if !ok {
				return
			}
			zone, err := time.LoadLocation(s)
			if err != nil {
				c.failf("%s is no time zone; write one such as Europe/Berlin or UTC", c.show())
				return
			}
			w.Zone = zone
		}},
	})
	if ok && c.n.get("days") == nil && c.n.get("hours") == nil {
		c.failf("is always; write days: mon-fri, hours: 08:00-18:00, or both")
		return w, false
	}
	return w, ok
}

// days reads days of the week: mon-fri, or sat,sun; a range may go over Sunday.
func (c cursor) days() policy.Days {
	var out policy.Days
	c.some("days such as mon-fri")
	for _, item := range c.words("days such as mon-fri") {
		first, last, isRange := strings.Cut(strings.ToLower(item.n.text), "-")
		from, ok := weekday(first)
		until := from
		if isRange && ok {
			until, ok = weekday(last)
		}
		if !ok {
			item.failf("%s is no day; write days such as mon-fri, or sat,sun", item.show())
			continue
		}
		for day := from; ; day = (day + 1) % 7 {
			out = out.With(day)
			if day == until {
				break
			}
		}
	}
	return out
}

func weekday(s string) (time.Weekday, bool) {
	s = strings.TrimSpace(s)
	for day := range time.Weekday(7) {
		if name := strings.ToLower(day.String()); s == name || s == name[:3] {
			return day, true
		}
	}
	return 0, false
}

// hours reads FROM-UNTIL on the clock; until may be before from, then it goes over
// midnight.
func (c cursor) hours() (from, until time.Duration) {
	const want = "hours such as 08:00-18:00"
	s, ok := c.word(want)
	if !ok {
		return 0, 0
	}
	begin, end, _ := strings.Cut(s, "-")
	from, okFrom := clock(begin)
	until, okUntil := clock(end)
	switch {
	case !okFrom || !okUntil || from == 24*time.Hour:
		c.failf("%s is no time of the day; write %s", c.show(), want)
	case from == until:
		c.failf("%s begins where it ends; leave hours out for the whole day", c.show())
	}
	return from, until
}

// clock reads HH:MM, 24:00 included.
func clock(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return 24 * time.Hour, true
	}
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}
