package metadata

import (
	"slices"
	"time"
)

// State is all that a Builder remembers from document to document: plain data,
// to be written out and taken up by another process.
type State struct {
	Session                   UUID
	Group                     UUID      // of related calls; zero: none so far
	Grouped                   time.Time // when that group was formed
	Start, Stop               time.Time // of the session
	Associated, Disassociated time.Time // of session and recording session
	Members                   []Member  // in the order of joining
	Tracks                    []Track
	Former                    []Track // whose label has passed to another voice, in that order
}

// Member is one stay of a participant. Who comes back has a second one with the
// same ID.
type Member struct {
	ID           ID
	Role         PartyRole
	AOR, Name    string
	Others       []NameID
	Joined, Left time.Time
}

// Track is the stream that is recorded under a label.
type Track struct {
	Label string
	ID    ID
	Role  PartyRole
	Owner ID // the participant whose voice it is
	Sends bool
	Until time.Time // of a former one: when its label passed on

	// Of a mix (Role Both) each side by itself; Sends is either.
	CallerSends, CalleeSends bool
}

// by reports whether a side of the call sends the stream.
func (t *Track) by(role PartyRole) bool {
	if t.Role == Both {
		return role == Caller && t.CallerSends || role == Callee && t.CalleeSends
	}
	return t.Sends && t.Role == role
}

// State returns a copy of what the Builder remembers.
func (b *Builder) State() State { return b.state.clone() }

func (s State) clone() State {
	s.Members = slices.Clone(s.Members)
	s.Tracks = slices.Clone(s.Tracks)
	s.Former = slices.Clone(s.Former)
	return s
}

// instant is a time as precise as a document is, so that what is remembered
// equals what is read back.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// start fixes, once, when the session started (answered, else begun, else seen
// first) and when its recording did.
func (b *Builder) start(s Snapshot, at time.Time) {
	if !b.state.Start.IsZero() {
		return
	}
	b.state.Start = at
	for _, t := range []time.Time{s.Answered, s.Started} {
		if !t.IsZero() {
			b.state.Start = instant(t)
			break
		}
	}
	b.state.Associated = later(at, b.state.Start)
}

// stop fixes, once, when the session or its recording ended.
func (b *Builder) stop(s Snapshot, at time.Time, leaving bool) {
	if s.State == CallEnded && b.state.Stop.IsZero() {
		end := at
		if !s.Ended.IsZero() {
			end = instant(s.Ended)
		}
		b.state.Stop = later(end, b.state.Start)
	}
	if (leaving || s.State == CallEnded) && b.state.Disassociated.IsZero() {
		end := at
		if !leaving {
			end = b.state.Stop
		}
		b.state.Disassociated = later(end, b.state.Associated)
	}
}

// seat makes the party the one who sits on its side of the call.
func (b *Builder) seat(role PartyRole, p Party, at time.Time) {
	next := Member{Role: role, AOR: canonicalAOR(p.AOR), Name: clean(p.Name), Others: others(p), Joined: b.state.Start}
	now := b.current(role)
	fixed := len(b.override(role)) > 0 // named by the operator: one participant for good
	switch {
	case now == nil:
		b.join(next)
	case !b.state.Stop.IsZero(): // nobody moves after the end
	case fixed || samePerson(*now, next):
		b.rename(now.ID, next)
	default:
		now.Left = later(at, now.Joined)
		next.Joined = now.Left
		b.join(next)
	}
}

// current is the open stay on this side, nil before the first document.
func (b *Builder) current(role PartyRole) *Member {
	for i := range b.state.Members {
		if m := &b.state.Members[i]; m.Role == role && m.Left.IsZero() {
			return m
		}
	}
	return nil
}

// join adds a stay; who was on this side before keeps the identifier (RFC 7865
// §6.5.1).
func (b *Builder) join(m Member) {
	for _, known := range b.state.Members {
		if known.Role == m.Role && samePerson(known, m) {
			m.ID = known.ID
		}
	}
	if m.ID == "" {
		m.ID = b.person(m)
	}
	if b.state.Members == nil {
		b.state.Members = make([]Member, 0, 2) // more in a call that is transferred only
	}
	b.state.Members = append(b.state.Members, m)
	b.rename(m.ID, m)
}

// rename gives a participant, in all stays, the address and names now known. A
// name that is not told any more is not forgotten.
func (b *Builder) rename(id ID, now Member) {
	for i := range b.state.Members {
		m := &b.state.Members[i]
		if m.ID != id {
			continue
		}
		m.AOR = now.AOR
		if now.Name != "" {
			m.Name = now.Name
		}
		if len(now.Others) > 0 {
			m.Others = now.Others
		}
	}
}

// regroup notes the group that the session is in (RFC 7865 §6.2): one at a time.
func (b *Builder) regroup(s Snapshot) {
	if s.Group.Name == "" || b.cfg.Group != "" || !b.state.Stop.IsZero() {
		return
	}
	if id := CallGroupID(s.Group.Name); id != b.state.Group {
		b.state.Group, b.state.Grouped = id, instant(s.Group.Since)
	}
}

// assign gives each label its stream: a new one when the voice under the label
// is another's. Who sends is remembered from before the end, so that the last
// document still tells whose voice is under which label.
func (b *Builder) assign(s Snapshot, streams []LabeledStream, at time.Time) {
	for _, l := range streams {
		owner := b.current(l.Party)
		if owner == nil { // neither caller nor callee
			owner = &Member{}
		}
		t := b.track(l.Label)
		if t == nil {
			if b.state.Tracks == nil {
				b.state.Tracks = make([]Track, 0, len(streams))
			}
			b.state.Tracks = append(b.state.Tracks, Track{Label: l.Label})
			t = &b.state.Tracks[len(b.state.Tracks)-1]
		}
		if t.ID == "" || t.Owner != owner.ID {
			if t.ID != "" {
				former := *t
				former.Until = at
				b.state.Former = append(b.state.Former, former)
			}
			*t = Track{Label: l.Label, ID: b.cfg.IDs().ID(), Role: l.Party, Owner: owner.ID}
			t.send(l, s)
			continue
		}
		if s.State != CallEnded {
			t.send(l, s)
		}
	}
}

// send notes who sends now.
func (t *Track) send(l LabeledStream, s Snapshot) {
	t.Sends = l.sends(s)
	if l.Party == Both {
		one := l
		one.Party = Caller
		t.CallerSends = one.sends(s)
		one.Party = Callee
		t.CalleeSends = one.sends(s)
	}
}

// track returns the track of a label, nil if there is none.
func (b *Builder) track(label string) *Track {
	for i := range b.state.Tracks {
		if b.state.Tracks[i].Label == label {
			return &b.state.Tracks[i]
		}
	}
	return nil
}

// streamAt is the stream that was recorded under a label at that time, "" if there
// never was one.
func (b *Builder) streamAt(label string, at time.Time) ID {
	for _, f := range b.state.Former {
		if f.Label == label && at.Before(f.Until) {
			return f.ID
		}
	}
	if t := b.track(label); t != nil {
		return t.ID
	}
	return ""
}

// sends reports whether the direction is sent now.
func (l LabeledStream) sends(s Snapshot) bool {
	if !l.Active {
		return false
	}
	for _, m := range s.Streams {
		if m.Index == l.Index {
			both := l.Party == Both
			return (both || l.Party == Caller) && m.Caller.Sends || (both || l.Party == Callee) && m.Callee.Sends
		}
	}
	return false
}
