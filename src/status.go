package src

import (
	"fmt"
	"strconv"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/metadata"
)

// View is what the outside sees of a recording session, live or ended. Its
// JSON form is the API's.
type View struct {
	ID        string                  `json:"id"` // RFC 7865 session id in its URL-safe form
	CallID    string                  `json:"call_id"`
	Call      CallView                `json:"call"`
	Recorder  string                  `json:"recorder"`
	Name      string                  `json:"name"`
	Rule      string                  `json:"rule,omitempty"` // the rule that wanted it; "" when somebody else did
	Initiator Initiator               `json:"initiator"`      // who that was
	SRS       string                  `json:"srs"`            // the SRS that has it, else the one being tried or tried last
	State     metadata.RecordingState `json:"state"`
	Since     time.Time               `json:"since"`          // when State was reached
	Started   time.Time               `json:"started"`        // when it was asked for
	Ended     time.Time               `json:"ended,omitzero"` // zero while live
	Result    Result                  `json:"result,omitempty"`
	Reason    string                  `json:"reason,omitempty"`
	SIPCallID string                  `json:"sip_call_id"` // of the dialog with the SRS
	Streams   []StreamView            `json:"streams"`
	Attempts  []Attempt               `json:"attempts"`

	Parameters map[string]string `json:"parameters,omitempty"` // that somebody has added; not to be changed
}

// Initiator is who has begun a recording.
type Initiator string

// The initiators.
const (
	InitiatorRule     Initiator = "rule"     // a rule, or a party that it lets steer
	InitiatorOperator Initiator = "operator" // somebody or a program, over the API
	InitiatorSRS      Initiator = "srs"      // an SRS, by INVITE
)

// CallView is the recorded call as a View names it.
type CallView struct {
	SIPCallID string `json:"sip_call_id"`
	From      string `json:"from"`
	To        string `json:"to"`
}

// StreamView is one m-line of the recording session.
type StreamView struct {
	Label         string             `json:"label"`
	Party         metadata.PartyRole `json:"party"`
	Codec         string             `json:"codec"`
	PacketsIn     uint64             `json:"packets_in"`
	PacketsCopied uint64             `json:"packets_copied"`
	Dropped       uint64             `json:"dropped"`          // not copied, a pause counted in
	Paused        bool               `json:"paused"`           // nothing is copied now, for whatever reason
	Masked        bool               `json:"masked,omitempty"` // what is copied is silence or beeps

	// What the receiver reports of the SRS say (RFC 3550 §6.4.1).
	SRSReports   uint64  `json:"srs_reports"`
	SRSLost      int64   `json:"srs_lost"`                // packets that it misses; negative: it has some twice
	SRSJitter    Seconds `json:"srs_jitter,omitzero"`     // by the newest report
	SRSRoundTrip Seconds `json:"srs_round_trip,omitzero"` // zero: not known
}

// Attempt is one INVITE to one SRS and what came of it.
type Attempt struct {
	SRS    string    `json:"srs"`
	Code   int       `json:"code"` // the final code; 408 for silence, 503 for a transport error, 488 for a 2xx without a usable answer, 487 when we gave up
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	Took   Seconds   `json:"took"`

	SIPCallID string `json:"sip_call_id,omitempty"` // of the dialog that was tried
}

// Seconds is a duration that JSON shows as a number of seconds.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(s).Seconds()), nil
}

// Result is how a recording ended.
type Result string

// The results.
const (
	Complete Result = "complete" // lasted until the call ended
	Partial  Result = "partial"  // ended before the call did
	Refused  Result = "refused"  // nothing of the call can be recorded: encrypted, or no audio
	Failed   Result = "failed"   // no SRS took it
	Skipped  Result = "skipped"  // given up on purpose: skip_failover_codes, or the call was never answered
	Missed   Result = "missed"   // an SRS had it, but no packet of the call reached it
)

var results = []Result{Complete, Partial, Refused, Failed, Skipped, Missed}

// published is what a Session shows to other goroutines beside what is set once.
// The numbers of packets are read from the taps when somebody asks.
type published struct {
	cs             *metadata.Snapshot
	srs, sipCallID string
	state          metadata.RecordingState
	since          time.Time
	reason         string
	streams        []shownStream
	attempts       []Attempt
	parameters     map[string]string
}

// shownStream is one stream of it.
type shownStream struct {
	label          string
	party          metadata.PartyRole
	codec          *sdp.Format      // the first of its offer; nil: there is none. Not changed
	past           *forker.TapStats // of earlier taps; nil: there were none
	tap            *forker.Tap      // nil while there is none
	paused, masked bool
}

func (s *shownStream) view() StreamView {
	v := StreamView{Label: s.label, Party: s.party, Paused: s.paused, Masked: s.masked}
	if s.codec != nil {
		v.Codec = string(strconv.AppendInt(append(append(make([]byte, 0, 32), s.codec.Name...), '/'), int64(s.codec.Clock), 10))
	}
	if s.past != nil {
		v.add(*s.past)
	}
	if s.tap != nil {
		v.add(s.tap.Stats())
	}
	return v
}

func (s *StreamView) add(t forker.TapStats) {
	s.PacketsIn += t.In
	s.PacketsCopied += t.Copied
	s.Dropped += t.Dropped.Total()
	s.SRSReports += t.RRs
	s.SRSLost += t.CumulativeLost
	if t.RRs > 0 {
		s.SRSJitter, s.SRSRoundTrip = Seconds(t.Jitter), Seconds(t.RTT)
	}
}

// publish shows the session's state as it is now.
func (s *Session) publish() {
	s.showing.Lock()
	defer s.showing.Unlock()
	streams := s.shown.streams[:0]
	for _, st := range s.streams.all {
		streams = append(streams, st.show())
	}
	s.shown = published{
		cs: s.cs, srs: s.srs, sipCallID: s.sipCallID, state: s.state, since: s.since,
		reason: s.reason, attempts: s.attempts, parameters: s.added.Parameters,
		streams: streams,
	}
}

// View is the session as it is now, and shares nothing with it. Any goroutine.
func (s *Session) View() View {
	s.showing.Lock()
	defer s.showing.Unlock()
	p := &s.shown
	v := View{
		ID: s.id, CallID: p.cs.ID, Recorder: s.recorder.Name, Name: s.name, Rule: s.rule(), Initiator: s.by,
		Call: CallView{SIPCallID: p.cs.SIPCallID, From: p.cs.Caller.AOR, To: p.cs.Callee.AOR},
		SRS:  p.srs, State: p.state, Since: p.since, Started: s.started,
		Reason: p.reason, SIPCallID: p.sipCallID, Parameters: p.parameters,
		Streams:  make([]StreamView, len(p.streams)),
		Attempts: append([]Attempt{}, p.attempts...),
	}
	if p.state == metadata.StateEnded {
		v.Ended, v.Result = s.ended, s.result
	}
	for i := range p.streams {
		v.Streams[i] = p.streams[i].view()
	}
	return v
}
