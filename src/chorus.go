package src

import "sidetrack/metadata"

// chorus makes one voice of the recordings of a rule that names several
// recorders: what the call's owner is told. Where the rule demands some of them,
// only these count, and the first that fails speaks for all.
type chorus struct {
	notify   func(metadata.RecordingState, string)
	required bool
	parts    []metadata.RecordingState
	told     metadata.RecordingState
}

// part adds a voice. Lane.
func (c *chorus) part() func(metadata.RecordingState, string) {
	i := len(c.parts)
	c.parts = append(c.parts, metadata.StateStarting)
	return func(state metadata.RecordingState, reason string) {
		c.parts[i] = state
		if now := c.together(); now != c.told && now != metadata.StateStarting {
			c.told = now
			c.notify(now, reason)
		}
	}
}

// together is the state of all that are wanted still: ended as soon as a demanded one has ended, or
// when all have; not begun before all that still live have begun.
func (c *chorus) together() metadata.RecordingState {
	n := map[metadata.RecordingState]int{}
	for _, state := range c.parts {
		n[state]++
	}
	ended, wanted := n[metadata.StateEnded], len(c.parts)-n[metadata.StateNone]
	switch {
	case wanted == 0:
		return metadata.StateNone
	case ended == wanted, c.required && ended > 0:
		return metadata.StateEnded
	case n[metadata.StateStarting] > 0:
		return metadata.StateStarting
	case n[metadata.StateMoving] > 0:
		return metadata.StateMoving
	case n[metadata.StatePaused]+ended == wanted:
		return metadata.StatePaused
	}
	return metadata.StateRecording
}
