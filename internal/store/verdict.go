package store

import "time"

// Verdict is the story of one recording, as far as it is known. Its JSON form
// is that of the API and of the JSON lines.
type Verdict struct {
	ID       string `json:"id"` // of the recording: RFC 7865 session id, URL-safe
	CallID   string `json:"call_id"`
	Call     Call   `json:"call"`
	Rule     string `json:"rule"` // that wanted it; "" when somebody else did
	Recorder string `json:"recorder"`
	Name     string `json:"name"`
	Required bool   `json:"required"`

	Initiator string `json:"initiator"` // rule, operator or srs; "" in what an older version has written

	Started  time.Time `json:"started"`           // when it was asked for; never zero
	Answered time.Time `json:"answered,omitzero"` // when the call was
	Taken    time.Time `json:"taken,omitzero"`    // when an SRS took it
	Ended    time.Time `json:"ended,omitzero"`
	Seconds  float64   `json:"seconds"` // recorded, without the pauses of the whole session

	Result    Result   `json:"result"`
	Reason    string   `json:"reason"`
	SRS       string   `json:"srs"`         // that had it, else the one tried last
	SIPCallID string   `json:"sip_call_id"` // of the dialog with the SRS
	Moves     int      `json:"moves"`       // to another SRS while the call went on
	Alarms    []string `json:"alarms"`

	Parameters map[string]string `json:"parameters"` // name → value, as they were last: those of its start, and tags

	Attempts []Attempt `json:"attempts"`
	Streams  []Stream  `json:"streams"`
}

// Call is the call that was to be recorded.
type Call struct {
	SIPCallID string `json:"sip_call_id"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// Attempt is one INVITE to one SRS.
type Attempt struct {
	SRS    string    `json:"srs"`
	Code   int       `json:"code"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Took   float64   `json:"took"` // seconds
}

// Stream is the evidence about one party's audio.
type Stream struct {
	Label         string            `json:"label"`
	Party         string            `json:"party"`
	Codec         string            `json:"codec"`
	PacketsIn     uint64            `json:"packets_in"`
	PacketsCopied uint64            `json:"packets_copied"`
	Dropped       uint64            `json:"dropped"` // not copied, for whatever reason
	Lost          uint64            `json:"lost"`    // of these, the ones that should have been
	DroppedBy     map[string]uint64 `json:"dropped_by"`
	AtRisk        uint64            `json:"at_risk"`     // sent to an SRS after its last sign of life
	Unreachable   uint64            `json:"unreachable"` // ICMP unreachable for copies
	RTCPIn        uint64            `json:"rtcp_in"`     // RTCP datagrams of the SRS
	SRSReports    uint64            `json:"srs_reports"` // receiver reports of the SRS
	SRSLost       int64             `json:"srs_lost"`    // packets that it misses by these; negative: it has some twice
	First         time.Time         `json:"first,omitzero"`
	Last          time.Time         `json:"last,omitzero"`
	Gaps          []Gap             `json:"gaps"`
}

// Gap is a time in which a stream was not copied.
type Gap struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to,omitzero"` // zero: it lasts
	Cause string    `json:"cause"`

	Packets uint64 `json:"packets,omitempty"` // that are missing for it; 0: not known
}

// Result is how a recording ended.
type Result string

// The results. A call that was answered and whose recording is refused, failed,
// skipped or missed was to be recorded and is not.
const (
	Running  Result = "running"
	Complete Result = "complete" // lasted until the call ended
	Partial  Result = "partial"  // ended before the call, or so it must be taken
	Refused  Result = "refused"  // nothing of the call can be recorded
	Failed   Result = "failed"   // no SRS took it
	Skipped  Result = "skipped"  // given up on purpose
	Missed   Result = "missed"   // an SRS had it, but nothing of the call reached it
)

// Results are all of them.
var Results = []Result{Running, Complete, Partial, Refused, Failed, Skipped, Missed}

func (v *Verdict) running() bool { return v.Result == Running }
