package config

import (
	"fmt"

	"sidetrack/policy"
)

func (d *decoder) ruleList(c cursor) {
	names := map[string]bool{}
	for i, item := range c.items("recording rules") {
		r, ok := d.rule(item, i)
		if !ok {
			continue
		}
		if names[r.Name] {
			item.failf("a second rule is called %q; choose another name", r.Name)
		}
		names[r.Name] = true
		d.cfg.Policy.Rules = append(d.cfg.Policy.Rules, r)
	}
}

func (d *decoder) rule(c cursor, i int) (policy.Rule, bool) {
	r := policy.Rule{
		Name:   fmt.Sprintf("rule-%d", i+1),
		Tracks: policy.TracksBoth,
		Start:  policy.StartAnswer,
		OnHold: policy.OnHoldPause,
	}
	ok := c.read(fields{
		{"name", func(c cursor) { d.name(c, &r.Name) }},
		{"match", func(c cursor) { r.Match = d.match(c, true) }},
		{"recorder", func(c cursor) { d.recorderRefs(c, &r) }},
		{"tracks", func(c cursor) { choose(c, &r.Tracks, policy.TracksBoth, policy.TracksCaller, policy.TracksCallee) }},
		{"start", func(c cursor) { choose(c, &r.Start, policy.StartAnswer, policy.StartEarly, policy.StartManual) }},
		{"required", func(c cursor) { d.required(c, &r) }},
		{"on_unrecorded", onUnrecorded(&r)},
		{"unrecorded_after", unrecordedAfter(&r)},
		{"continue", func(c cursor) {
			if v, ok := c.boolean(); ok {
				r.Continue = v
			}
		}},
		{"once", func(c cursor) {
			if v, ok := c.boolean(); ok {
				r.Once = v
			}
		}},
		{"controls", func(c cursor) { r.Controls = c.controls() }},
		{"decide", func(c cursor) { r.Decide = d.ask(c) }},
		{"media", func(c cursor) { r.Media = c.kinds() }},
		{"announce", func(c cursor) { r.Announce = d.announce(c) }},
		{"tone", func(c cursor) { r.Tone = c.tone() }},
		{"on_hold", func(c cursor) { choose(c, &r.OnHold, policy.OnHoldPause, policy.OnHoldIgnore) }},
	})
	if !ok {
		return r, false
	}
	finishUnrecorded(c, &r)
	if c.n.get("recorder") == nil {
		c.failf("names no recorder; add recorder: NAME, or recorder: %s", policy.NoRecorder)
	}
	if r.Start == policy.StartManual && r.Required {
		c.failf("is required and waits for somebody to start it; remove required: true or start: %s", policy.StartManual)
	}
	if r.Recorder == policy.NoRecorder {
		for _, key := range []string{"tracks", "start", "required", "on_unrecorded", "on_hold", "media", "announce", "tone", "controls", "decide", "once", "continue"} {
			if v := c.n.get(key); v != nil {
				d.warnf(v.line, join(c.path, key), "has no effect: the rule records nothing (recorder: %s)", policy.NoRecorder)
			}
		}
	}
	return r, true
}

// choose reads one of a type's values.
func choose[T ~string](c cursor, into *T, values ...T) {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	if s, ok := c.oneOf(names...); ok {
		*into = T(s)
	}
}

// recorderRef reads the name of a recorder, or none.
func (d *decoder) recorderRef(c cursor, into *string) {
	s, ok := c.word("the name of a recorder, or " + policy.NoRecorder)
	if !ok {
		return
	}
	*into = s
	d.used[s] = true
	if s == policy.NoRecorder {
		return
	}
	d.later(func() {
		if _, ok := d.named[s]; !ok {
			names := append(d.recorderNames(), policy.NoRecorder)
			c.failf("there is no recorder %s; %s", c.show(), c.propose(s, names, "add it to recorders"))
		}
	})
}

// finishRules warns of what will not be recorded.
func (d *decoder) finishRules(root cursor) {
	n := root.n.get("recording")
	if n == nil || n.null() || n.kind == list && len(n.items) == 0 {
		d.warnf(root.section("recording"), "recording", "has no rules: nothing is recorded; write - recorder: NAME")
		return
	}
	if n.kind != list {
		return
	}
	d.unreachable(n, "recording", "rule", len(d.cfg.Policy.Rules), func(i int) (string, policy.Match, bool) {
		r := d.cfg.Policy.Rules[i]
		return r.Name, r.Match, r.Continue
	})
	for _, r := range d.cfg.Recorders {
		if !d.used[r.Name] {
			d.warnf(d.named[r.Name], join("recorders", r.Name), "no rule names it; it is used only on demand")
		}
	}
}
