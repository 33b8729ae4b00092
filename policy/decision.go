package policy

// Decision is what the recording rules say about a call.
type Decision struct {
	Record   bool   // false: not recorded, and of the rest only Rule may be set
	Rule     string // name of the rule that decided; "" when none matched
	Recorder string
	Tracks   Tracks
	Start    Start
	Required bool
	OnHold   OnHold
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
		Tracks:   r.Tracks,
		Start:    r.Start,
		Required: r.Required,
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
