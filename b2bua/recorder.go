package b2bua

import (
	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Recorder is told of every call and may record it (RFC 7866: the Session
// Recording Client). It is a listener: each method returns at once and does
// its work elsewhere, so that no recorder can delay or end a call.
//
// For one call the methods are called in the order Begin, Update…, End.
type Recorder interface {
	// Begin tells of a call for which both SDPs are known for the first time,
	// by an early answer or the final one (cs.State says which), or which has been
	// answered without descriptions. It returns
	// whether the call may be answered only once it is being recorded.
	// notify may be called from any goroutine with each change of state and,
	// for metadata.StateEnded, the reason in words.
	Begin(cs metadata.Snapshot, in *policy.Invite, relay *forker.Relay,
		notify func(state metadata.RecordingState, reason string)) (required bool)
	// Update tells of a change: answer, hold, codec, streams.
	Update(cs metadata.Snapshot)
	// Act tells of a wish that a party has put into its signalling: an action on
	// the recording of that name, or on all. It returns whether there is one that
	// this party may steer.
	Act(id string, party metadata.PartyRole, wish policy.Wish) bool
	// End tells that the call is over. Its relay closes right after.
	End(cs metadata.Snapshot)
}
