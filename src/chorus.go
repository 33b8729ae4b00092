package src

import (
	"slices"

	"sidetrack/metadata"
)

// chorus makes one voice of the recordings of a rule that names several
// recorders: what the call's owner is told. Where the rule demands some of them,
// only these count, and the first that fails speaks for all.
type chorus struct {
	notify   func(metadata.RecordingState, string)
	required bool
	parts    []metadata.RecordingState
	others   []metadata.RecordingState // of recordings that no rule has begun: they are told of, but demanded by nobody
	told     metadata.RecordingState
}

// part adds a voice. Lane.
func (c *chorus) part() func(metadata.RecordingState, string) {
	i := len(c.parts)
	c.parts = append(c.parts, metadata.StateStarting)
	return func(state metadata.RecordingState, reason string) {
		c.parts[i] = state
		c.tell(reason)
	}
}

// further adds the voice of a recording that no rule has begun. Lane.
func (c *chorus) further() func(metadata.RecordingState, string) {
	i := len(c.others)
	c.others = append(c.others, metadata.StateStarting)
	return func(state metadata.RecordingState, reason string) {
		c.others[i] = state
		c.tell(reason)
	}
}

func (c *chorus) tell(reason string) {
	if now := c.all(); now != c.told && now != metadata.StateStarting && now != metadata.StateWaiting {
		c.told = now
		c.notify(now, reason)
	}
}

// all is the state of the rule's recordings, unless others go on where these do
// not. What a rule demands before the call may go on no other one replaces.
func (c *chorus) all() metadata.RecordingState {
	state := c.together()
	idle := state == metadata.StateNone || state == metadata.StateWaiting || state == metadata.StateEnded || state == metadata.StatePaused
	if !idle || len(c.others) == 0 || c.required && c.told == "" {
		return state
	}
	has := func(s metadata.RecordingState) bool { return slices.Contains(c.others, s) }
	switch {
	case has(metadata.StateRecording), has(metadata.StateMoving):
		return metadata.StateRecording
	case state == metadata.StatePaused, has(metadata.StatePaused):
		return metadata.StatePaused
	case c.told != "" && c.told != metadata.StateNone:
		return metadata.StateEnded
	}
	return state
}

// together is the state of all that are wanted still: ended as soon as a demanded one has ended, or
// when all have; not begun before all that still live have begun. One that waits
// for an SRS keeps none of the others from being told.
func (c *chorus) together() metadata.RecordingState {
	n := map[metadata.RecordingState]int{}
	for _, state := range c.parts {
		n[state]++
	}
	ended, waiting, wanted := n[metadata.StateEnded], n[metadata.StateWaiting], len(c.parts)-n[metadata.StateNone]
	switch {
	case wanted == 0:
		return metadata.StateNone
	case ended == wanted, c.required && ended > 0:
		return metadata.StateEnded
	case n[metadata.StateStarting] > 0:
		return metadata.StateStarting
	case ended+waiting == wanted:
		return metadata.StateWaiting
	case n[metadata.StateMoving] > 0:
		return metadata.StateMoving
	case n[metadata.StatePaused]+ended+waiting == wanted:
		return metadata.StatePaused
	}
	return metadata.StateRecording
}
