package src

import (
	"slices"
	"strings"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// sounds tells whether the parties are to hear the session's tone: while it is
// recorded, or what is said is kept for the next SRS.
func (s *Session) sounds() bool {
	state := s.audible()
	return s.tone != nil && (state == metadata.StateRecording || state == metadata.StateMoving)
}

// sound has the parties hear the tone of the first recording that has one for
// them and runs, and no other.
func (k *call) sound() {
	var tones [2]*forker.Tone // by Side
	var of [2]*Session
	for _, s := range k.sessions {
		if !s.sounds() {
			continue
		}
		for side, hears := range []bool{s.tone.Side.Caller(), s.tone.Side.Callee()} {
			if hears && tones[side] == nil {
				tones[side], of[side] = s.tone.heard(), s
			}
		}
	}
	if !k.sounding && tones[0] == nil && tones[1] == nil {
		return
	}
	k.sounding = true
	if !k.explains {
		k.explain()
	}
	for side, tone := range tones {
		k.relay.SetTone(forker.Side(side), tone)
		if tone != nil && !k.mixes(forker.Side(side)) {
			of[side].untold(AlarmNoTone, "recording tone cannot be heard", forker.Side(side))
		}
	}
}

// tone is a policy.Tone as the relay takes it.
type tone struct{ *policy.Tone }

func (t *tone) heard() *forker.Tone {
	return &forker.Tone{Hertz: t.Hertz, Level: t.Level, Length: t.Length, Period: t.Period, Jitter: t.Jitter, Copy: t.Copy}
}

// explain tells the relay what the call's payload types mean, from now on.
func (k *call) explain() {
	k.explains = true
	for _, m := range k.cs.Streams {
		if m.Kind == "audio" {
			k.relay.SetCodecs(m.Index, forker.AB, codecsOf(m.Caller.Formats))
			k.relay.SetCodecs(m.Index, forker.BA, codecsOf(m.Callee.Formats))
		}
	}
}

func codecsOf(formats []metadata.Format) map[uint8]forker.Codec {
	out := make(map[uint8]forker.Codec, len(formats))
	for _, f := range formats {
		out[f.PT] = forker.Codec{Name: f.Name, Clock: f.Clock, Channels: f.Channels}
	}
	return out
}

// mixes tells whether a side can be made to hear something in the codec that the
// other one speaks first.
func (k *call) mixes(hears forker.Side) bool {
	return slices.ContainsFunc(k.cs.Streams, func(m metadata.MediaStream) bool {
		said, flow := m.Callee, forker.BA
		if hears == forker.SideB {
			said, flow = m.Caller, forker.AB
		}
		i := slices.IndexFunc(said.Formats, func(f metadata.Format) bool { return !auxiliary(f.Name) })
		return m.Kind == "audio" && i >= 0 && !k.relay.Sealed(m.Index, flow) &&
			forker.Mixable(forker.Codec{Name: said.Formats[i].Name, Clock: said.Formats[i].Clock, Channels: said.Formats[i].Channels})
	})
}

// auxiliary tells what goes beside a codec.
func auxiliary(name string) bool {
	return slices.Contains([]string{"telephone-event", "cn", "red"}, strings.ToLower(name))
}

// untold notes, once, that the parties were not told of the recording as the rule
// wants it: in the verdict and in one line.
func (s *Session) untold(alarm Alarm, what string, side forker.Side) {
	if slices.Contains(s.alarms, alarm) {
		return
	}
	s.alarms = append(s.alarms, alarm)
	s.log.Warn(what+": no codec that can be written, or encrypted end to end", "side", side.String(), "rule", s.rule())
}
