package src

import (
	"sidetrack/metadata"
	"sidetrack/policy"
)

// wish is what a recording is to be.
type wish struct {
	recorder           *Recorder // nil: there is none of that name
	recorderName, name string
	of                 *policy.Wanted // what a rule wants; nil: somebody else wants it
	by                 Initiator
	tracks             policy.Tracks
	media              []string // kinds of m-lines; nil: audio
	onHold             policy.OnHold
	start              policy.Start
	tone               *policy.Tone         // nil: none
	announcement       *policy.Announcement // nil: none
	required           bool
	guard              guard
	byHand             bool // a party has begun it in mid-call
	particulars        Particulars
	notify             func(metadata.RecordingState, string) // nil: nobody
}
