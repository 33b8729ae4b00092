package config

import (
	"time"

	"sidetrack/policy"
)

// defaultUnrecorded is how long a call may go on unrecorded that must not.
const defaultUnrecorded = 10 * time.Second

// onUnrecorded reads what becomes of a call that nobody records.
func onUnrecorded(r *policy.Rule) func(cursor) {
	return func(c cursor) {
		choose(c, &r.OnUnrecorded, policy.OnUnrecordedAllow, policy.OnUnrecordedReject, policy.OnUnrecordedHangUp)
	}
}

// unrecordedAfter reads how long a call may go on then that is to be hung up.
func unrecordedAfter(r *policy.Rule) func(cursor) {
	return func(c cursor) {
		if v, ok := c.duration(time.Second, time.Hour, "10s"); ok {
			r.UnrecordedAfter = v
		}
	}
}

// finishUnrecorded gives on_unrecorded its defaults and holds it against
// required.
func finishUnrecorded(c cursor, r *policy.Rule) {
	if after := c.n.get("unrecorded_after"); after != nil && r.OnUnrecorded != policy.OnUnrecordedHangUp {
		c.d.warnf(after.line, join(c.path, "unrecorded_after"), "has no effect without on_unrecorded: %s", policy.OnUnrecordedHangUp)
	} else if after == nil && r.OnUnrecorded == policy.OnUnrecordedHangUp {
		r.UnrecordedAfter = defaultUnrecorded
	}
	switch {
	case r.OnUnrecorded == policy.OnUnrecordedAllow && r.Required:
		c.failf("is required and yet allowed unrecorded; remove required or on_unrecorded: %s", policy.OnUnrecordedAllow)
	case r.OnUnrecorded == policy.OnUnrecordedReject:
		r.Required = true
	}
	if r.Start == policy.StartManual && r.OnUnrecorded == policy.OnUnrecordedHangUp {
		c.failf("is hung up unrecorded and waits for somebody to start it; remove on_unrecorded or start: %s", policy.StartManual)
	}
}
