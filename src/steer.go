package src

import (
	"slices"
	"strings"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// between is how long the keys of one sequence may lie apart.
const between = 3 * time.Second

// keyLog is what a party has keyed lately.
type keyLog struct {
	keys string
	last time.Time
}

// press adds a key and gives the action whose sequence it completes.
func (l *keyLog) press(key byte, now time.Time, codes map[policy.Action]string) (policy.Action, bool) {
	if now.Sub(l.last) > between {
		l.keys = ""
	}
	l.keys, l.last = l.keys+string(key), now
	longest := 0
	for action, code := range codes {
		if strings.HasSuffix(l.keys, code) {
			l.keys = ""
			return action, true
		}
		longest = max(longest, len(code))
	}
	if len(l.keys) > longest {
		l.keys = l.keys[len(l.keys)-longest:]
	}
	return "", false
}

// listen has the relay tell of keys where a rule goes by them.
func (k *call) listen() {
	var any bool
	for _, w := range k.decision.Wanted {
		c := w.Controls
		if c == nil || len(c.Keys) == 0 {
			continue
		}
		any = true
		for side, party := range []metadata.PartyRole{metadata.Caller, metadata.Callee} {
			if c.Swallow && steers(c, party) {
				k.relay.SwallowDigits(forker.Side(side), true)
			}
		}
	}
	if any {
		k.explain()
		k.relay.OnDigit(func(d forker.Digit) { k.lane.Post(func() { k.onDigit(d) }) })
	}
}

// steers reports whether a party's wishes count.
func steers(c *policy.Controls, party metadata.PartyRole) bool {
	return c.By == "" || c.By == policy.TracksBoth || string(c.By) == string(party)
}

// onDigit follows what a party keys. Which keys these are is logged nowhere.
func (k *call) onDigit(d forker.Digit) {
	if k.over {
		return
	}
	party := metadata.Caller
	if d.Side == forker.SideB {
		party = metadata.Callee
	}
	for i := range k.decision.Wanted {
		w := &k.decision.Wanted[i]
		if w.Controls == nil || !steers(w.Controls, party) {
			continue
		}
		if k.keyed == nil {
			k.keyed = map[keyedBy]*keyLog{}
		}
		by := keyedBy{w.Recorder, party}
		if k.keyed[by] == nil {
			k.keyed[by] = &keyLog{}
		}
		if action, ok := k.keyed[by].press(d.Key, k.client.cfg.Now(), w.Controls.Keys); ok {
			k.steer(w, policy.Wish{Action: action, Door: "keys"}, party)
		}
	}
}

// keyedBy tells the key logs of a call apart: each recording has its own codes.
type keyedBy struct {
	recorder string
	party    metadata.PartyRole
}

// Act does what a party asks for in its signalling to the recordings whose rule
// lets it, and reports whether there is any; the wish is then carried out soon.
func (c *Client) Act(id string, party metadata.PartyRole, wish policy.Wish) bool {
	k := c.call(id)
	if k == nil || !slices.Contains(policy.Actions(), wish.Action) {
		return false
	}
	var due []*policy.Wanted
	for i := range k.decision.Wanted { // set before Begin has returned, and not changed
		w := &k.decision.Wanted[i]
		if w.Controls != nil && w.Controls.Signalling && steers(w.Controls, party) && (wish.Recording == "" || wish.Recording == w.Recorder) {
			due = append(due, w)
		}
	}
	if len(due) == 0 {
		return false
	}
	k.lane.Post(func() {
		for _, w := range due {
			k.steer(w, wish, party)
		}
	})
	return true
}

// steer carries out a party's wish.
func (k *call) steer(w *policy.Wanted, wish policy.Wish, party metadata.PartyRole) {
	if k.over || k.client.shut() {
		return
	}
	if k.heard(said{of: w, wish: wish, party: party}) {
		return
	}
	all, action := k.steered(w), wish.Action
	if wish.Preferred {
		if action = k.toward(all, action); action == "" {
			return
		}
	}
	log := k.client.log.With("call", k.cs.ID, "recorder", w.Recorder, "action", action, "by", doorOf(wish)+" of the "+string(party))
	var took []*Session
	var err error
	if action == policy.ActionStart {
		took, err = k.begin(w)
	} else {
		took, err = each(all, func(s *Session) error { return s.obey(action, w, wish) })
	}
	if err != nil {
		took = all
	}
	k.acted(took, action, doorOf(wish), party, err)
	if err != nil {
		log.Info("a party's wish comes at the wrong time", "error", err)
		return
	}
	log.Info("recording steered by a party")
}

// obey does what a party wants of the session.
func (s *Session) obey(action policy.Action, w *policy.Wanted, wish policy.Wish) error {
	switch action {
	case policy.ActionStop:
		s.stop(reasonStopped)
		return nil
	case policy.ActionPause:
		return s.pause(w.Controls.PauseLimit)
	case policy.ActionResume:
		return s.resume()
	case policy.ActionMask:
		return s.mask(policy.TracksBoth, true)
	case policy.ActionUnmask:
		return s.mask(policy.TracksBoth, false)
	case policy.ActionMove:
		return s.move("")
	case policy.ActionTag:
		return s.tag(s.tagOf(wish))
	}
	return ErrState
}

// toward is what brings a recording to where a party prefers it to be, "" for
// nothing: it is there, or it has not begun yet and the call tells us again with the answer.
func (k *call) toward(all []*Session, action policy.Action) policy.Action {
	paused := func(s *Session) bool { return s.paused }
	runs := func(s *Session) bool { return !s.paused }
	switch {
	case len(all) == 0 && (k.cs.State != metadata.CallAnswered || action == policy.ActionStop):
		return ""
	case action == policy.ActionStart && slices.ContainsFunc(all, paused):
		return policy.ActionResume
	case action == policy.ActionStart && len(all) > 0, action == policy.ActionPause && len(all) > 0 && !slices.ContainsFunc(all, runs):
		return ""
	}
	return action
}

// begin starts what a rule wants by hand, or what has been stopped; of a pair the
// one that is missing. What is being decided is not begun by a party, nor what
// another recorder has in its place.
func (k *call) begin(w *policy.Wanted) (begun []*Session, err error) {
	if k.cs.State != metadata.CallAnswered || k.awaits(w.Recorder) {
		return nil, ErrState
	}
	whole := k.wish(w)
	whole.byHand = true
	live := k.steered(w)
	for _, part := range whole.sessions() {
		there := func(s *Session) bool { return s.isOf(part.name) || !s.isOf(w.Recorder) }
		if !slices.ContainsFunc(live, there) {
			begun = append(begun, k.record(part))
		}
	}
	if len(begun) == 0 {
		return nil, ErrState
	}
	return begun, nil
}
