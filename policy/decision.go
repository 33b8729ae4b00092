package policy

import "slices"

// Decision is what the recording rules say about a call.
type Decision struct {
	Record   bool   // false: not recorded, and of the rest only Rule may be set
	Rule     string // name of the rule that decided; "" when none matched
	Recorder string
	Also     []string // further recorders
	Tracks   Tracks
	Start    Start
	Required bool
	Demanded []string // the recorders without which the call may not go on; nil: all, where Required
	OnHold   OnHold
}

// Recorders are all that the call is to be recorded by.
func (d *Decision) Recorders() []string { return append([]string{d.Recorder}, d.Also...) }

// Demands reports whether the call may only go on when that one records it.
func (d *Decision) Demands(recorder string) bool {
	return d.Required && (d.Demanded == nil || slices.Contains(d.Demanded, recorder))
}

// decide turns a matching rule into a decision, filling in what it leaves open.
func (r *Rule) decide() Decision {
	if r.Recorder == NoRecorder || r.Recorder == "" {
		return Decision{Rule: r.Name}
	}
	d := Decision{
		Record:   true,
		Rule:     r.Name,
		Recorder: r.Recorder,
		Also:     r.Also,
		Tracks:   r.Tracks,
		Start:    r.Start,
		Required: r.Required,
		Demanded: r.Demanded,
		OnHold:   r.OnHold,
	}
	if d.Tracks == "" {
		d.Tracks = TracksBoth
	}
	if d.Start == "" {
		d.Start = StartAnswer
	}
	if d.OnHold == "" {
		d.OnHold = OnHoldPause
	}
	return d
}
