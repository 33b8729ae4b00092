package config

import (
	"fmt"
	"strings"
	"time"

	"sidetrack/policy"
)

// maxKeys is how long a sequence of keys may be.
const maxKeys = 16

// controls reads how the parties may steer a recording.
func (c cursor) controls() *policy.Controls {
	out := &policy.Controls{By: policy.TracksBoth}
	ok := c.read(fields{
		{"by", func(c cursor) { choose(c, &out.By, policy.TracksBoth, policy.TracksCaller, policy.TracksCallee) }},
		{"keys", func(c cursor) { out.Keys = c.keys() }},
		{"swallow", func(c cursor) { out.Swallow, _ = c.boolean() }},
		{"signalling", func(c cursor) { out.Signalling, _ = c.boolean() }},
		{"pause_limit", func(c cursor) {
			if v, ok := c.duration(0, 24*time.Hour, "60s"); ok {
				out.PauseLimit = v
			}
		}},
	})
	if !ok {
		return nil
	}
	if c.n.get("keys") == nil && !out.Signalling {
		c.failf("offers no way to steer; add keys: {pause: \"*2\"}, or signalling: true")
	}
	return out
}

// keys reads sequences of keys by what they do.
func (c cursor) keys() map[policy.Action]string {
	var names []string
	for _, a := range policy.Actions() {
		names = append(names, string(a))
	}
	out := map[policy.Action]string{}
	c.free("ACTION: keys", func(name string, v cursor) {
		a := policy.Action(name)
		if near := nearest(name, names); near != name {
			v.failf("is no action; write one of %s", either(names))
			return
		}
		s, ok := v.word(`keys such as "*2", in quotes`)
		if !ok {
			return
		}
		if len(s) > maxKeys || strings.Trim(s, "0123456789*#ABCD") != "" {
			v.failf("%s is no sequence of keys; write up to %d of 0-9, *, #, A-D, such as \"*2\"", v.show(), maxKeys)
			return
		}
		for _, other := range policy.Actions() {
			if code, given := out[other]; given && (strings.HasPrefix(code, s) || strings.HasPrefix(s, code)) {
				v.failf("%s begins as the keys of %s do (%q); one would hide the other", v.show(), other, code)
				return
			}
		}
		out[a] = s
	})
	return out
}

// steered says in words how the parties may steer.
func steered(c *policy.Controls) string {
	s := "by both parties"
	if c.By != policy.TracksBoth {
		s = "by the " + string(c.By)
	}
	var codes []string
	for _, a := range policy.Actions() {
		if code := c.Keys[a]; code != "" {
			codes = append(codes, fmt.Sprintf("%s %s", code, a))
		}
	}
	if len(codes) > 0 {
		s += " (" + strings.Join(codes, ", ") + ")"
	}
	if c.Signalling {
		s += " by header fields"
	}
	return s
}
