package src

import (
	"cmp"
	"slices"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
)

// Alarm is something suspicious about a recording that an SRS had: it may be
// there and yet be worth nothing, or not be allowed.
type Alarm string

// The alarms. A recording of less than two seconds raises none but the last.
const (
	AlarmNoRTP          Alarm = "no-rtp"          // neither party has sent anything
	AlarmOneLegSilent   Alarm = "one-leg-silent"  // one party has sent nothing
	AlarmNoTone         Alarm = "no-tone"         // the tone that its rule wants could not be heard by a party
	AlarmNoAnnouncement Alarm = "no-announcement" // the announcement that its rule wants could not be heard by a party
	AlarmRecorderDeaf   Alarm = "recorder-deaf"   // nothing reached the SRS, or its host keeps saying that nobody listens
)

var alarms = []Alarm{AlarmNoRTP, AlarmOneLegSilent, AlarmNoTone, AlarmNoAnnouncement, AlarmRecorderDeaf}

const (
	alarmAfter  = 2 * time.Second // shorter recordings say nothing about silence
	deafEvery   = 2 * time.Second // ICMP unreachable so often, on average, or more often: nobody listens
	deafAtLeast = 3               // … and not just those of a port that was closed a moment before the BYE
)

var unmapped, withheld = forker.DropUnmapped.String(), forker.DropWithheld.String()

// What the evidence says against a recording that seemed to have gone well.
const (
	reasonUnheard = "no packet of the call reached the SRS"
	reasonDeaf    = "the SRS's host kept answering that nobody listens"
	reasonGap     = "packets were lost when the SRS was"
	reasonLate    = "packets were lost before an SRS took the session"
	reasonStream  = "no packet reached the SRS of label "
	reasonNoPorts = "there were no ports to copy a part of it"

	reasonWithheld = "what was said before a pause was withheld to the end"
)

// judge looks at the evidence once the recording has ended. It notes the
// alarms, and returns the result that stands and why it is another than the
// one given.
func (v *Verdict) judge(result Result) (Result, string) {
	if v.Taken.IsZero() {
		return result, ""
	}
	var in, copied, lost, unreachable, atRisk, kept uint64
	unwanted := false // by the SRS
	untapped := false // for a time, for want of ports
	unheard := ""     // the label of a stream that the SRS has nothing of, though it has not declined it
	by := map[metadata.PartyRole]uint64{}
	for _, s := range v.Streams {
		in += s.PacketsIn
		copied += s.PacketsCopied
		lost += s.Lost + s.DroppedBy[unmapped]
		if s.meant && s.PacketsIn > 0 && s.PacketsCopied == 0 && s.Lost > 0 {
			unheard = cmp.Or(unheard, s.Label)
		}
		unreachable += s.Unreachable
		atRisk += s.AtRisk + s.Lost
		if s.Party == metadata.Both {
			by[metadata.Caller] += s.Heard[forker.AB]
			by[metadata.Callee] += s.Heard[forker.BA]
		} else {
			by[s.Party] += s.PacketsIn
		}
		kept += s.DroppedBy[withheld]
		untapped = untapped || slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.Cause == string(causeLost) && g.Packets == 0 })
		unwanted = unwanted || slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.Cause == string(causeSRS) })
	}
	missed := in > 0 && copied == 0 && (lost > 0 || unwanted)
	long := v.Recorded >= alarmAfter
	switch {
	case long && in == 0 && len(v.Streams) > 0:
		v.Alarms = append(v.Alarms, AlarmNoRTP)
	case long && len(by) > 1 && (by[metadata.Caller] == 0 || by[metadata.Callee] == 0):
		v.Alarms = append(v.Alarms, AlarmOneLegSilent)
	}
	// An SRS that has died is answered for by its host, and left.
	deaf := v.Moves == 0 && unreachable >= deafAtLeast && time.Duration(unreachable)*deafEvery >= v.Recorded
	if missed || deaf {
		v.Alarms = append(v.Alarms, AlarmRecorderDeaf)
	}
	switch {
	case missed:
		return Missed, reasonUnheard
	case deaf && result == Complete:
		return Partial, reasonDeaf
	case v.Moves > 0 && atRisk > 0 && result == Complete:
		return Partial, reasonGap
	case v.Late && result == Complete:
		return Partial, reasonLate
	case untapped && result == Complete:
		return Partial, reasonNoPorts
	case kept > 0 && result == Complete:
		return Partial, reasonWithheld
	case unheard != "" && result == Complete:
		return Partial, reasonStream + unheard
	}
	return result, ""
}
