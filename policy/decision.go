package policy

import (
	"slices"
	"time"
)

// Decision is what the recording rules say about a call.
type Decision struct {
	Rule   string   // the rule that decided, the first of several; "" when none matched
	Wanted []Wanted // recordings, each by another recorder; empty: the call is not recorded
}

// Wanted is one recording of a call.
type Wanted struct {
	Rule     string // that wants it
	Recorder string
	Tracks   Tracks
	Start    Start
	Required bool // the call may only go on when it is recorded
	OnHold   OnHold
	HangUp   bool          // it is ended when nobody records it
	After    time.Duration // … for so long
	Tone     *Tone         // heard while it runs; nil: none
	Controls *Controls     // how the parties may steer it; nil: not at all
	Decide   *Ask          // who is asked about it first; nil: nobody
	Once     bool          // not when another call of the same conversation is recorded by it

	Media    []string      // kinds of m-lines; nil: audio
	Announce *Announcement // heard before the call or when it is recorded; nil: nothing
}

// Required reports whether the call may only go on when it is recorded.
func (d *Decision) Required() bool {
	return slices.ContainsFunc(d.Wanted, func(w Wanted) bool { return w.Required })
}

// Records reports whether that recorder is to record the call.
func (d *Decision) Records(recorder string) bool {
	return slices.ContainsFunc(d.Wanted, func(w Wanted) bool { return w.Recorder == recorder })
}

// demands reports whether what the rule demands is demanded of that recorder.
func (r *Rule) demands(recorder string) bool {
	return r.Demanded == nil || slices.Contains(r.Demanded, recorder)
}

// wanted are the recordings of a rule's calls, with what it leaves open filled in.
func (r *Rule) wanted() []Wanted {
	if r.Recorder == NoRecorder || r.Recorder == "" {
		return nil
	}
	var out []Wanted
	for _, name := range append([]string{r.Recorder}, r.Also...) {
		w := Wanted{
			Rule: r.Name, Recorder: name, Tracks: r.Tracks, Start: r.Start, OnHold: r.OnHold, Tone: r.Tone, Announce: r.Announce, Media: r.Media, Once: r.Once, Decide: r.Decide, Controls: r.Controls,
			Required: (r.Required || r.OnUnrecorded == OnUnrecordedReject) && r.demands(name),
			HangUp:   r.OnUnrecorded == OnUnrecordedHangUp && r.demands(name), After: r.UnrecordedAfter,
		}
		if w.Tracks == "" {
			w.Tracks = TracksBoth
		}
		if w.Start == "" {
			w.Start = StartAnswer
		}
		if w.OnHold == "" {
			w.OnHold = OnHoldPause
		}
		out = append(out, w)
	}
	return out
}
