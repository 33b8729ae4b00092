package src

import (
	"slices"

	"sidetrack/forker"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// call is one communication session as the client knows it, recorded or not:
// an operator may ask for a recording in the middle of it.
type call struct {
	// Set once.
	client    *Client
	lane      *txn.Lane
	invite    *policy.Invite // as it came; any goroutine may read it
	relay     *forker.Relay
	leave     func() // of a guest, when its last recording has ended; nil: it is none
	notify    func(metadata.RecordingState, string)
	decision  policy.Decision
	recorders map[string]*Recorder // those of the decision
	signs     []string             // by which other calls of the same conversation are known

	// Owned by the lane.
	cs        *metadata.Snapshot // the newest; not changed, for its sessions have it too
	pending   []wish             // recordings that the rules want and whose time has not come, not split yet
	ahead     *ahead             // of recordings that have not begun; nil: nothing
	keyed     map[keyedBy]*keyLog
	announced []*policy.Announcement // what the parties have heard
	explains  bool                   // the relay goes by what the call's payload types mean
	sounding  bool                   // the parties have been made to hear a tone
	over      bool
	sessions  []*Session // live ones
	guests    []*guest   // recordings of the call that live on other lanes
	voices    *chorus    // what its owner is told

	past []View // guarded by client.mu: recordings that ended while the call went on, the newest maxPast
	lost int    // guarded by client.mu: how many did that nobody has stopped
}

func (k *call) onSnapshot(cs *metadata.Snapshot) {
	if k.over {
		return
	}
	k.cs = cs
	if k.explains {
		k.explain()
	}
	for _, s := range slices.Clone(k.sessions) {
		s.onSnapshot(cs)
	}
	for _, g := range k.guests {
		g.k.lane.Post(func() { g.k.onSnapshot(cs) })
	}
	if k.sounding {
		k.sound()
	}
	k.applyRules()
}

func (k *call) onEnd(cs *metadata.Snapshot) {
	k.cs, k.over = cs, true
	for _, s := range slices.Clone(k.sessions) {
		s.onCallEnd(cs)
	}
	for _, g := range k.guests {
		g.k.lane.Post(func() { g.k.onEnd(cs) })
	}
}

// plan makes a wish of each recording that the rules want, or asks for one. The
// call's owner hears of those that are required, or of all where none is.
func (k *call) plan() {
	voices := &chorus{notify: k.notify, required: k.decision.Required()}
	k.voices = voices
	var questions []*inquiry
	for i := range k.decision.Wanted {
		d := &k.decision.Wanted[i]
		if d.Start == policy.StartManual {
			continue
		}
		w := k.wish(d)
		if w.required || !voices.required {
			w.notify = voices.part()
		}
		switch n := len(questions); {
		case d.Decide == nil:
			k.pending = append(k.pending, w)
		case n > 0 && questions[n-1].ask == d.Decide:
			questions[n-1].wishes = append(questions[n-1].wishes, w)
		default:
			questions = append(questions, &inquiry{ask: d.Decide, wishes: []wish{w}})
		}
	}
	for _, q := range questions {
		k.inquire(q)
	}
}

func (k *call) wish(d *policy.Wanted) wish {
	return wish{
		recorder: k.recorders[d.Recorder], recorderName: d.Recorder, name: d.Recorder, of: d,
		tracks: d.Tracks, media: d.Media, onHold: d.OnHold, required: d.Required, start: d.Start,
		guard: guard{on: d.HangUp, limit: d.After}, tone: d.Tone, announcement: d.Announce,
	}
}

// answered is the INVITE as templates see it: with the headers of the answer, in
// a copy, for rules and the call's owner share the INVITE.
func (k *call) answered() *policy.Invite {
	if k.cs.Answer == nil || k.invite == nil {
		return k.invite
	}
	in := *k.invite
	in.Answered = make([]policy.Header, len(k.cs.Answer))
	for i, h := range k.cs.Answer {
		in.Answered[i] = policy.Header(h)
	}
	return &in
}

// applyRules begins the recordings whose time has come.
func (k *call) applyRules() {
	if k.over || len(k.pending) == 0 {
		return
	}
	if k.client.shut() { // sessions that begin now would be ended by nobody
		k.giveUp(k.pending)
		k.pending = nil
		return
	}
	var later []wish
	due := k.pending
	k.pending = nil
	for _, w := range due {
		if w.start != policy.StartEarly && k.cs.State != metadata.CallAnswered {
			later = append(later, w)
			continue
		}
		k.records(w)
	}
	k.pending = later
	k.comply()
}

// giveUp is for wishes of rules whose time comes when the client closes.
func (k *call) giveUp(wishes []wish) {
	for _, w := range wishes {
		k.client.missed(k, w.recorderName, w.of.Rule, w.required)
		w.tell(metadata.StateEnded, reasonShutdown)
	}
}

// record makes a session and starts it.
func (k *call) record(w wish) *Session {
	if w.notify == nil {
		w.notify = k.extra(func(tell func()) { tell() })
	}
	s := newSession(k, w)
	k.sessions = append(k.sessions, s)
	k.client.enter(s)
	s.testify()
	s.watchOver()
	s.announce()
	k.prepare(s)
	s.start()
	return s
}

// copies is how many streams are copied, or will be.
func (k *call) copies() int {
	n := 0
	for _, s := range k.sessions {
		n += max(len(s.streams.all), 1)
	}
	for _, g := range k.guests {
		n += g.copies
	}
	return n
}

// extra is the voice of a recording that no rule has begun. post brings it to the
// call's lane.
func (k *call) extra(post func(func())) func(metadata.RecordingState, string) {
	if k.voices == nil {
		return nil
	}
	tell := k.voices.further()
	return func(state metadata.RecordingState, reason string) { post(func() { tell(state, reason) }) }
}

// records makes the sessions that a wish takes, and gives the first.
func (k *call) records(w wish) *Session {
	all := w.sessions()
	for i := 1; i < len(all) && w.notify != nil; i++ {
		all[i].notify = k.voices.part() // before any of them has been told of
	}
	var first *Session
	for _, w := range all {
		if s := k.record(w); first == nil {
			first = s
		}
	}
	return first
}

func (k *call) forget(s *Session) {
	k.sessions = slices.DeleteFunc(k.sessions, func(o *Session) bool { return o == s })
	if k.leave != nil && len(k.sessions) == 0 {
		k.leave()
	}
}
