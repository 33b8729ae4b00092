package src

import (
	"slices"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// announce has the parties hear the session's announcement, once a call, when its
// time has come: neither before the call has been answered nor after its end.
func (s *Session) announce() {
	a, k := s.announcement, s.call
	if a == nil || k.over || s.cs.State != metadata.CallAnswered || a.At == policy.AnnounceStart && !s.taken {
		return
	}
	s.announcement = nil
	if slices.Contains(k.announced, a) {
		return // another recording of the rule has
	}
	k.announced = append(k.announced, a)
	for side, hears := range []bool{a.Side.Caller(), a.Side.Callee()} {
		if !hears {
			continue
		}
		if err := k.play(forker.Side(side), a); err != nil {
			s.untold(AlarmNoAnnouncement, "announcement cannot be heard", forker.Side(side))
			continue
		}
		s.log.Info("announcement", "side", forker.Side(side).String(), "file", a.File, "rule", s.rule())
	}
}

// play plays an announcement on the first audio m-line of which a codec can be
// written.
func (k *call) play(hears forker.Side, a *policy.Announcement) error {
	sound := forker.Announcement{PCM: a.PCM, Rate: a.Rate, Copy: a.Copy}
	for _, m := range k.cs.Streams {
		said := m.Callee
		if hears == forker.SideB {
			said = m.Caller
		}
		for _, f := range said.Formats {
			c := forker.Codec{Name: f.Name, Clock: f.Clock, Channels: f.Channels}
			if m.Kind == "audio" && forker.Mixable(c) && k.relay.Play(hears, m.Index, f.PT, c, sound) == nil {
				return nil
			}
		}
	}
	return forker.ErrNotPlayable
}
