package policy

import "time"

// Controls say how the parties of a call may steer its recording from within
// the call.
type Controls struct {
	By         Tracks            // whose wishes count; "" means TracksBoth
	Keys       map[Action]string // sequences of 0-9, *, #, A-D; none begins another
	Swallow    bool              // the keys of who may steer do not reach the other party
	Signalling bool              // header fields in INFO, re-INVITE and UPDATE count, too
	PauseLimit time.Duration     // a party's pause ends by itself after so long; 0: never
}

// Action is what may be done to a recording.
type Action string

// The actions.
const (
	ActionStart  Action = "start"
	ActionStop   Action = "stop"
	ActionPause  Action = "pause"
	ActionResume Action = "resume"
	ActionMask   Action = "mask"
	ActionUnmask Action = "unmask"
	ActionMove   Action = "move" // to the next SRS of its recorder
	ActionTag    Action = "tag"  // with a parameter
)

// Actions are all of them, in the order in which people read them.
func Actions() []Action {
	return []Action{ActionStart, ActionStop, ActionPause, ActionResume, ActionMask, ActionUnmask, ActionMove, ActionTag}
}

// Wish is what a party asks for in its signalling.
type Wish struct {
	Action    Action
	Recording string // its name; "": all that the party may steer

	// What ActionTag adds; no parameter: "tag", with the time for its value.
	Parameter, Value string

	// Preferred: not the action but what it leads to is asked for (RFC 7866 §7.1.3).
	// ActionStart then resumes what is paused, and what is so already is left alone.
	Preferred bool

	Door string // by what it came, for who keeps account: a SIP method, "recordpref", "keys"
}
