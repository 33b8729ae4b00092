package src

import (
	"slices"

	"sidetrack/metadata"
	"sidetrack/policy"
)

// ahead is what there is about recordings of a call that have not begun.
type ahead struct {
	asked *inquiry // the newest decision that is under way
	said  []said   // what parties want of them, in order
}

// said is what a party wants of a recording.
type said struct {
	of    *policy.Wanted
	wish  policy.Wish
	party metadata.PartyRole

	took []*Session    // who have begun with it
	did  policy.Action // what it was to them
}

// heard keeps what a party wants of a recording that is to begin yet, or is being
// decided about, of each action the newest, and reports whether it does. What somebody
// has paused before it began is not to begin in the clear; a start cannot wait, for the
// rule and the answer alone begin. What a party prefers the call tells again when it is
// answered, which a decision may outlast.
func (k *call) heard(p said) bool {
	switch p.wish.Action {
	case policy.ActionPause, policy.ActionResume, policy.ActionMask, policy.ActionUnmask, policy.ActionStop:
	default:
		if !p.wish.Preferred {
			return false
		}
	}
	name := p.of.Recorder
	if !k.awaits(name) || p.wish.Preferred && k.asks(name) == nil {
		return false
	}
	same := func(o said) bool {
		return o.of == p.of && o.party == p.party && o.wish.Action == p.wish.Action && o.wish.Preferred == p.wish.Preferred
	}
	if k.ahead == nil {
		k.ahead = &ahead{}
	}
	k.ahead.said = append(slices.DeleteFunc(k.ahead.said, same), p)
	return true
}

// prepare has a session that is about to begin do so as parties have wanted it: what is
// paused is not told to an SRS as running, and nothing of it is kept.
func (k *call) prepare(s *Session) {
	if k.ahead == nil {
		return
	}
	for i := range k.ahead.said {
		p := &k.ahead.said[i]
		action := p.wish.Action
		if p.wish.Preferred {
			action = k.toward([]*Session{s}, action)
		}
		if s.of != p.of && !s.isOf(p.of.Recorder) || action == "" || action == policy.ActionStop {
			continue
		}
		if s.obey(action, p.of, p.wish) == nil {
			p.took, p.did = append(p.took, s), action
		}
	}
}

// comply does what parties have wanted of recordings that have begun since, or never will:
// the rule or the answer alone begins what is not there.
func (k *call) comply() {
	if k.ahead == nil {
		return
	}
	var early []said
	due := k.ahead.said
	k.ahead.said = nil
	for _, p := range due {
		switch {
		case len(p.took) > 0:
			k.acted(p.took, p.did, doorOf(p.wish), p.party, nil)
			k.client.log.Info("recording steered by a party before it began", "call", k.cs.ID, "recorder", p.of.Recorder, "action", p.did,
				"by", doorOf(p.wish)+" of the "+string(p.party))
		case k.awaits(p.of.Recorder):
			early = append(early, p)
		case len(k.steered(p.of)) > 0:
			k.steer(p.of, p.wish, p.party)
		}
	}
	if k.ahead.said = early; len(early) == 0 && k.ahead.asked == nil {
		k.ahead = nil
	}
}
