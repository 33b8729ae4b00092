package config

import (
	"fmt"
	"time"

	"sidetrack/policy"
)

// The forms of a recording tone.
const (
	toneFS1037C = "fs1037c"
	toneFCC1948 = "fcc1948"
)

// tone reads the name of a form, or a form with changes.
func (c cursor) tone() *policy.Tone {
	t := policy.ToneFS1037C()
	form := func(c cursor) {
		if name, ok := c.oneOf(toneFS1037C, toneFCC1948); ok && name == toneFCC1948 {
			t = policy.ToneFCC1948()
		}
	}
	if c.n.kind == scalar {
		form(c)
		return &t
	}
	if n := c.n.get("form"); n != nil && c.n.kind == mapping {
		form(cursor{c.d, join(c.path, "form"), n}) // before what changes it
	}
	length := func(into *time.Duration, low, high time.Duration, example string) func(cursor) {
		return func(c cursor) {
			if v, ok := c.duration(low, high, example); ok {
				*into = v
			}
		}
	}
	number := func(into *float64, low, high int) func(cursor) {
		return func(c cursor) {
			if v, ok := c.integer(low, high); ok {
				*into = float64(v)
			}
		}
	}
	ok := c.read(fields{
		{"form", func(cursor) {}},
		{"frequency", number(&t.Hertz, 200, 3400)},
		{"level", number(&t.Level, -60, -3)},
		{"length", length(&t.Length, 50*time.Millisecond, 10*time.Second, "500ms")},
		{"period", length(&t.Period, 1500*time.Millisecond, time.Hour, "15s")},
		{"jitter", length(&t.Jitter, 0, time.Minute, "3s")},
		{"side", func(c cursor) { choose(c, &t.Side, policy.TracksBoth, policy.TracksCaller, policy.TracksCallee) }},
		{"copy", flag(&t.Copy)},
	})
	switch {
	case !ok:
		return nil
	case t.Length >= t.Period:
		c.failf("lasts %s of each %s; write a length below the period", short(t.Length), short(t.Period))
	case t.Jitter > t.Period/2:
		c.failf("a jitter of %s moves bursts over each other; write up to %s, half the period", short(t.Jitter), short(t.Period/2))
	}
	return &t
}

// toneWords says what is heard, and by whom.
func toneWords(t *policy.Tone) string {
	jitter := ""
	if t.Jitter > 0 {
		jitter = " ± " + short(t.Jitter)
	}
	who := "both sides hear"
	if t.Side != policy.TracksBoth {
		who = "the " + string(t.Side) + " hears"
	}
	copied := ""
	if t.Copy {
		copied = ", the recorder too"
	}
	return fmt.Sprintf("%s %g Hz for %s every %s%s%s", who, t.Hertz, short(t.Length), short(t.Period), jitter, copied)
}
