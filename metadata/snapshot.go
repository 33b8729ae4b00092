package metadata

import "time"

// Snapshot is the communication session (CS) at one instant, complete: what
// is absent here does not exist. It is a plain value; its slices are not kept
// by a Builder and not changed by it.
type Snapshot struct {
	ID        string  // the call's own id, stable for the call
	SIPCallID string  // Call-ID of the call's first leg
	SessionID string  // RFC 7989 Session-ID value, "local;remote=…", or ""
	Group     Related // which calls it belongs together with

	Caller, Callee Party
	Diverted       []Party // for whom the call was before it was redirected, the latest first
	Streams        []MediaStream

	Started  time.Time // INVITE arrived
	Answered time.Time // zero while not answered
	Ended    time.Time // zero while the call lasts

	Answer  []Header // of the 2xx that answered the call, nil until then; not changed later
	Reasons []Reason // RFC 3326 Reason values of the ending, may be empty
	State   CallState
}

// Related names a set of calls that belong together by transfer, consultation or
// pickup: the same Name in each of them, "" for a call alone.
type Related struct {
	Name  string
	Since time.Time // when the first two came together
}

// Header is one header field of a SIP message.
type Header struct{ Name, Value string }

// CallState is the phase of a call.
type CallState string

// The phases of a call.
const (
	CallEarly    CallState = "early"
	CallAnswered CallState = "answered"
	CallEnded    CallState = "ended"
)

// Party is one side of the call. AOR is a SIP, SIPS or tel URI; what is not
// one is escaped into one by the Builder. Name may hold anything.
type Party struct {
	AOR, Name string
	Others    []NameID // what else it is known by, such as a tel URI
}

// MediaStream is one m-line of the call.
type MediaStream struct {
	Index          int    // position of the m-line
	Kind           string // "audio", "video", …
	Secure         bool   // SRTP: what the parties send is protected
	Keyed          bool   // Secure, and its keys are known to the relay (SDES): it can be recorded
	Caller, Callee Flow   // what the caller sends, what the callee sends
}

// Flow is one direction of a MediaStream.
type Flow struct {
	Formats []Format // payload types as they are on the wire in this direction
	Sends   bool     // false while held, muted, or with port 0
	Ptime   string   // a=ptime in milliseconds, "" when not told

	Extensions []HeaderExtension // of its packets (RFC 8285)
}

// HeaderExtension is an RTP header extension.
type HeaderExtension struct {
	ID         uint8  // as it is on the wire in this direction
	URI        string // what it means
	Attributes string // as the sender has described it; mostly ""
}

// Format is one RTP payload type.
type Format struct {
	PT              uint8
	Name            string
	Clock, Channels int // Hz; Channels 0 and 1 are the same
	Fmtp            string
}

// Reason is a SIP Reason header value (RFC 3326) or the element made of it
// (RFC 7865 §6.3.1).
type Reason struct {
	Protocol string // "SIP", "Q.850"; "" means SIP
	Cause    int
	Text     string
}

// RecordingState is the state of a recording session as it is told outside.
type RecordingState string

// The states of a recording session.
const (
	StateStarting  RecordingState = "starting"
	StateRecording RecordingState = "recording"
	StatePaused    RecordingState = "paused"
	StateMoving    RecordingState = "moving"
	StateEnded     RecordingState = "ended"

	// StateWaiting is told, and never had: no SRS has taken it, they are asked again.
	StateWaiting RecordingState = "waiting"

	// StateNone is told, and never had: the recording is not wanted after all.
	StateNone RecordingState = "none"

	// StateUnrecorded is told, and never had: the call must end, for nobody
	// records it.
	StateUnrecorded RecordingState = "unrecorded"
)

// PartyRole says which side of the call something belongs to.
type PartyRole string

// The two sides of a call.
const (
	Caller PartyRole = "caller"
	Callee PartyRole = "callee"

	// Both is said of a stream only, of one that has both parties mixed.
	Both PartyRole = "both"
)

// LabeledStream is one recorded direction: the m-line of the recording
// session with this a=label carries what Party sends on m-line Index. Party Both
// is a mix of what both send (RFC 8068 §3.3).
//
// Active is false when the direction is not there any more (its m-line was
// disabled with port 0). A pause of the recording alone does not make it false:
// the parties go on talking, and the metadata tells about them (RFC 7866
// §7.1.1.1); hold is seen in the Snapshot's Flow.Sends.
type LabeledStream struct {
	Label  string
	Party  PartyRole
	Index  int
	Active bool
}
