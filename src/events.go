package src

import "time"

// Event is something that happened to a recording session. The names of its
// fields are those of the events of OpenSIPS.
type Event struct {
	Type      string    `json:"type"` // one of the Event constants
	Time      time.Time `json:"time"`
	DlgID     string    `json:"dlg_id"`     // our id of the call
	DlgCallID string    `json:"dlg_callid"` // Call-ID of the call
	CallID    string    `json:"callid"`     // Call-ID of the recording session
	SessionID string    `json:"session_id"` // RFC 7865 session id, URL-safe: the recording's id
	Server    string    `json:"server"`     // URI of the SRS
	Instance  string    `json:"instance"`   // name of the recording within the call
	Recorder  string    `json:"recorder"`
	Reason    string    `json:"reason,omitempty"`
}

// The types of events.
const (
	EventStart    = "recording.start"   // an SRS took the session
	EventStop     = "recording.stop"    // a session that was taken has ended
	EventFailed   = "recording.failed"  // a session has ended without having been taken
	EventWaiting  = "recording.waiting" // every SRS has been asked and none has taken the session yet: they are asked again
	EventPaused   = "recording.paused"  // nothing is copied until resumed
	EventResumed  = "recording.resumed" // copied again
	EventMasked   = "recording.masked"  // what the parties say that Reason names is hidden
	EventUnmasked = "recording.unmasked"
	EventTagged   = "recording.tagged" // it has got, changed or lost the parameters that Reason names
	EventMoved    = "recording.moved"  // another SRS has taken the session, the first having been lost
)

func (s *Session) tell(kind, reason string) {
	s.client.cfg.OnEvent(Event{
		Type: kind, Time: s.client.cfg.Now().UTC(), DlgID: s.cs.ID, DlgCallID: s.cs.SIPCallID, CallID: s.sipCallID,
		SessionID: s.id, Server: s.srs, Instance: s.name, Recorder: s.recorder.Name, Reason: reason,
	})
}
