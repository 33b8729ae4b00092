package src

import (
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Verdict is the whole story of one recording that a rule or an operator
// wanted. It is told when the recording begins, when an SRS takes it, and when
// it has ended, each time as far as it is known; it shares nothing with the
// Session.
type Verdict struct {
	View     View // its Result is empty until the end
	Required bool
	Answered time.Time     // when the call was answered; zero: it has not been
	Taken    time.Time     // when an SRS took the session; zero: none has
	Recorded time.Duration // how long it was recorded, pauses of the whole session left out
	Streams  []StreamVerdict
	Late     bool    // packets were lost before an SRS took it
	Moves    int     // how often its SRS was lost or left while the call went on
	Alarms   []Alarm // what is suspicious about it, once it has ended
}

// StreamVerdict is the evidence about one stream.
type StreamVerdict struct {
	Heard [2]uint64 // of a mix: packets of the caller and of the callee in it
	StreamView
	DroppedBy   map[string]uint64 // packets not copied, by forker.DropReason; what is 0 is left out
	Lost        uint64            // of these, the ones that should have been copied
	AtRisk      uint64            // packets sent to an SRS after its last sign of life, before it was lost, and to no other
	Unreachable uint64            // ICMP unreachable received for copies
	RTCPIn      uint64            // RTCP datagrams that the SRS has sent
	First, Last time.Time         // departure of the first and newest copy; zero: none
	Gaps        []Gap             // times since Taken in which nothing was copied, for a reason
	MoreGaps    int               // how many are not in Gaps, for there were too many

	meant bool // for the SRS, which has not declined it
}

// Gap is a time without copies. To is zero while it lasts.
type Gap struct {
	From, To time.Time
	Cause    string // hold, operator, mask (silence or beeps were copied), srs (by its answer or its own wish), lost (with the SRS)

	Packets uint64 // that are missing for it; 0: not known
}

// maxGaps bounds what is kept of a stream that is paused without end.
const maxGaps = 100

// lossy are the reasons for which a packet is missing in the recording although
// it was wanted there. One of a payload type that the SRS has declined, such as
// telephone-event, is not counted.
var lossy = []forker.DropReason{
	forker.DropNoAddress, forker.DropWouldBlock, forker.DropUnreachable, forker.DropError,
	forker.DropBufferFull, forker.DropClosed, forker.DropSRTPAuth,
}

// verdict is the story so far.
func (s *Session) verdict() Verdict {
	v := Verdict{
		View: s.View(), Required: s.required, Answered: s.cs.Answered, Taken: s.takenAt,
		Recorded: s.recorded, Moves: s.moving.times, Late: s.retry.late, Streams: make([]StreamVerdict, len(s.streams.all)),
	}
	for i, st := range s.streams.all {
		v.Streams[i] = st.verdict()
	}
	if s.state == metadata.StateRecording {
		v.Recorded += s.now().Sub(s.since)
	}
	return v
}

func (st *stream) verdict() StreamVerdict {
	t, shown := st.numbers(), st.show()
	v := StreamVerdict{
		Heard: t.Heard, StreamView: shown.view(), Unreachable: t.Unreachable, RTCPIn: t.RTCPIn, First: t.First, Last: t.Last,
		AtRisk: t.AtRisk, Lost: lost(t.Dropped), meant: !st.refused && !st.waits,
		Gaps: append([]Gap(nil), st.gaps.all...), MoreGaps: st.gaps.more,
	}
	for i, n := range t.Dropped {
		if n > 0 {
			if v.DroppedBy == nil {
				v.DroppedBy = map[string]uint64{}
			}
			v.DroppedBy[forker.DropReason(i).String()] = n
		}
	}
	return v
}

// lost are the packets of these that should have been copied.
func lost(dropped forker.Drops) (n uint64) {
	for _, reason := range lossy {
		n += dropped[reason]
	}
	return n
}

// sum adds the numbers of two taps of one stream, a the earlier one.
func sum(a, b forker.TapStats) forker.TapStats {
	a.In += b.In
	a.Copied += b.Copied
	a.Again += b.Again
	a.AtRisk += b.AtRisk
	a.Unreachable += b.Unreachable
	a.Heard[forker.AB] += b.Heard[forker.AB]
	a.Heard[forker.BA] += b.Heard[forker.BA]
	a.RTCPIn += b.RTCPIn
	a.RTCPOther += b.RTCPOther
	a.RRs += b.RRs
	a.CumulativeLost += b.CumulativeLost
	if b.RRs > 0 {
		a.Jitter, a.RTT = b.Jitter, b.RTT
	}
	for i, n := range b.Dropped {
		a.Dropped[i] += n
	}
	if a.First.IsZero() {
		a.First = b.First
	}
	if !b.Last.IsZero() {
		a.Last = b.Last
	}
	return a
}

// gaps are the times in which a stream was not copied.
type gaps struct {
	all   []Gap
	more  int
	cause string // of the one that lasts; "" when none does
	open  int    // its index in all, where it is there
}

// note tells that from now on nothing is copied for this cause, or, when it is
// empty, that copies go on.
func (g *gaps) note(cause string, now time.Time) {
	if cause == g.cause {
		return
	}
	if g.cause != "" && g.open >= 0 {
		g.all[g.open].To = now
	}
	g.cause, g.open = cause, -1
	if cause != "" && g.add(Gap{From: now, Cause: cause}) {
		g.open = len(g.all) - 1
	}
}

// add notes a gap; it is only counted when there are too many.
func (g *gaps) add(gap Gap) bool {
	if len(g.all) >= maxGaps {
		g.more++
		return false
	}
	g.all = append(g.all, gap)
	return true
}

// noteGaps brings the gaps of the streams up to date.
func (s *Session) noteGaps() {
	if !s.taken {
		return
	}
	for _, st := range s.streams.all {
		st.gaps.note(s.gapCause(st), s.now())
	}
}

// gapCause is why a stream is not copied; a direction that the call does not
// have leaves no gap.
func (s *Session) gapCause(st *stream) string {
	switch {
	case st.gone, st.leaving:
		return ""
	case s.paused:
		return string(causeOperator)
	case st.held && s.onHold != policy.OnHoldIgnore:
		return string(causeHold)
	case st.tap == nil: // for want of ports
		return string(causeLost)
	case st.masked:
		return string(causeMask)
	case s.leg != nil && !st.may(): // while there is no SRS, what is said is kept
		return string(causeSRS)
	}
	return ""
}

// testify tells the verdict to whoever keeps them.
func (s *Session) testify() {
	if f := s.client.cfg.OnVerdict; f != nil {
		f(s.verdict())
	}
}

// missed is the verdict on a recording that nobody asked an SRS for, because the
// client is closing.
func (c *Client) missed(k *call, recorder, rule string, required bool) {
	if c.cfg.OnVerdict == nil {
		return
	}
	now := c.cfg.Now()
	c.cfg.OnVerdict(Verdict{
		Required: required, Answered: k.cs.Answered,
		View: View{
			ID: metadata.NewV4().URLSafe(), CallID: k.cs.ID, Recorder: recorder, Name: recorder,
			Call: CallView{SIPCallID: k.cs.SIPCallID, From: k.cs.Caller.AOR, To: k.cs.Callee.AOR}, Rule: rule, Initiator: InitiatorRule,
			State: metadata.StateEnded, Since: now, Started: now, Ended: now, Result: Failed, Reason: reasonShutdown,
		},
	})
}
