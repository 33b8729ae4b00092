package src

import (
	"slices"

	"sidetrack/forker"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// call is one communication session as the client knows it, recorded or not:
// an operator may ask for a recording in the middle of it.
type call struct {
	// Set once.
	client   *Client
	lane     *txn.Lane
	invite   *policy.Invite
	relay    *forker.Relay
	notify   func(metadata.RecordingState, string)
	decision policy.Decision

	// Owned by the lane.
	cs       metadata.Snapshot // the newest
	began    bool              // the sessions that the rule wants have been made
	over     bool
	sessions []*Session // live ones
}

func (k *call) onSnapshot(cs metadata.Snapshot) {
	if k.over {
		return
	}
	k.cs = cs
	for _, s := range slices.Clone(k.sessions) {
		s.onSnapshot(cs)
	}
	k.applyRule()
}

func (k *call) onEnd(cs metadata.Snapshot) {
	k.cs, k.over = cs, true
	for _, s := range slices.Clone(k.sessions) {
		s.onCallEnd(cs)
	}
}

// applyRule begins the recordings that the policy wants, one for each recorder,
// when their time has come.
func (k *call) applyRule() {
	d := k.decision
	if k.began || k.over || !d.Record || (d.Start != policy.StartEarly && k.cs.State != metadata.CallAnswered) {
		return
	}
	k.began = true
	voices := chorus{notify: k.notify, required: d.Required}
	var wishes []wish
	for _, name := range d.Recorders() {
		w := wish{
			recorder: k.client.recorder(name), recorderName: name, name: name, rule: d.Rule,
			tracks: d.Tracks, onHold: d.OnHold, required: d.Demands(name),
		}
		if w.required || !d.Required {
			w.notify = voices.part()
		}
		wishes = append(wishes, w)
	}
	for _, w := range wishes { // when each has its voice: one may fail at once
		k.record(w)
	}
}

// record makes a session and starts it.
func (k *call) record(w wish) *Session {
	s := newSession(k, w)
	k.sessions = append(k.sessions, s)
	k.client.enter(s)
	s.testify()
	s.start()
	return s
}

// named finds a live session of the call.
func (k *call) named(name string) *Session {
	for _, s := range k.sessions {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (k *call) forget(s *Session) {
	k.sessions = slices.DeleteFunc(k.sessions, func(o *Session) bool { return o == s })
}
