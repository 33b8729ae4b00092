package metadata

import "time"

// BuilderConfig is what does not change over a recording session's life.
type BuilderConfig struct {
	// IDs makes identifiers; nil means NewV4.
	IDs func() UUID
	// Person makes the identifier of a participant out of its address, so that
	// the same person has the same one in related sessions (RFC 7865 §6.5.1);
	// nil means IDs.
	Person func(aor string) UUID
	// Session is the session's id; zero means that IDs makes one.
	Session UUID
	// Group names the group of the session; "" means none. Its id is GroupID,
	// the name itself goes into the group as an extension.
	Group string
	// GroupExtensions and SessionExtensions go last into their elements.
	GroupExtensions, SessionExtensions []Extension
	// CallerExtensions and CalleeExtensions go last into the participants on that
	// side of the call.
	CallerExtensions, CalleeExtensions []Extension
	// First is the participant that comes first; "" is the caller.
	First PartyRole
	// Caller and Callee replace what the snapshot's party would give.
	Caller, Callee []NameID
	// Style is how identifiers and times are written where a document's own style does
	// not reach: within the element of WithGaps.
	Style Style
	// State continues the Builder that it was taken from; nil starts anew.
	State *State
}

// Builder owns the identifiers and times of one recording session: a thing
// keeps its id and its associate-time over all documents, also when the session
// moves to another recorder, but for the tie to that: see Moved. It is not for
// concurrent use.
type Builder struct {
	cfg   BuilderConfig
	state State
	id    ID // state.Session as documents have it
}

// NewBuilder makes a Builder. Identifiers of participants and streams are made
// when they first appear.
func NewBuilder(cfg BuilderConfig) *Builder {
	if cfg.IDs == nil {
		cfg.IDs = NewV4
	}
	b := &Builder{cfg: cfg}
	switch {
	case cfg.State != nil:
		b.state = cfg.State.clone()
	case cfg.Session.IsZero():
		b.state.Session = cfg.IDs()
	default:
		b.state.Session = cfg.Session
	}
	b.id = b.state.Session.ID()
	return b
}

// SetSessionExtensions has the documents from now on end their session with these.
func (b *Builder) SetSessionExtensions(all []Extension) { b.cfg.SessionExtensions = all }

// SessionID is the RFC 7865 session id.
func (b *Builder) SessionID() UUID { return b.state.Session }

// GroupID is the id of the group of this name: the same from each client, for
// the same group (RFC 7865 §6.2.1).
func GroupID(name string) UUID {
	return NewV5(NewV5(UUID{}, ExtensionNamespace), name)
}

// CallGroupID is the id of the group of calls that Related.Name names.
func CallGroupID(name string) UUID {
	return NewV5(NewV5(UUID{}, ExtensionNamespace+"#calls"), name)
}

// Option changes one document.
type Option struct {
	leaving bool
	gaps    []Gap
}

// RecordingEnds marks the last document of a recording that ends before its
// call: the session leaves the recording session, but does not stop.
func RecordingEnds() Option { return Option{leaving: true} }

// WithGaps has the document tell when a stream was not recorded: as an extension
// of the session, in our namespace.
func WithGaps(all []Gap) Option { return Option{gaps: all} }

// Gap is a time of which a recording misses packets of a stream. RFC 7865 has no
// element for that: the times of an association are those of the call.
type Gap struct {
	Label    string
	From, To time.Time
	Packets  uint64 // how many; 0: not known
	Cause    string
}

// Moved notes that the session goes on in another recording session, which has
// the call from that time on: the associate-time of their tie (RFC 7865 §6.4.1).
// All else keeps its id and its times.
func (b *Builder) Moved(from time.Time) {
	b.state.Associated, b.state.Disassociated = later(instant(from), b.state.Start), time.Time{}
}

// Complete returns the complete snapshot of s, seen at the time at. Each
// direction in streams is a stream element with its label; streams must hold
// all that were ever given, for an m-line does not go away (RFC 3264 §8).
//
// A participant is a side of the call with its address: when the address
// changes, the old one leaves at that time, the new one joins, and what is
// recorded from that side is another stream under the same label (RFC 8068
// §3.2.3). The side that was there first joined when the session started.
func (b *Builder) Complete(s Snapshot, streams []LabeledStream, at time.Time, opts ...Option) *Recording {
	var o Option
	for _, opt := range opts {
		o.leaving, o.gaps = o.leaving || opt.leaving, append(o.gaps, opt.gaps...)
	}
	at = instant(at)
	b.Note(s, streams, at)
	b.stop(s, at, o.leaving)

	r := &Recording{DataMode: Complete}
	b.addSession(r, s)
	b.addParticipants(r)
	b.addStreams(r, streams)
	if len(o.gaps) > 0 {
		r.Sessions[0].Extensions = append(r.Sessions[0].Extensions, b.gaps(o.gaps))
	}
	return r
}

// Note takes in what Complete would tell, for a time in which no document can be
// sent: who comes and leaves between two of them has been there all the same.
func (b *Builder) Note(s Snapshot, streams []LabeledStream, at time.Time) {
	at = instant(at)
	b.start(s, at)
	b.regroup(s)
	if b.cfg.First == Callee {
		b.seat(Callee, s.Callee, at)
		b.seat(Caller, s.Caller, at)
	} else {
		b.seat(Caller, s.Caller, at)
		b.seat(Callee, s.Callee, at)
	}
	b.assign(s, streams, at)
}

// addSession adds group, session and its tie to the recording session.
func (b *Builder) addSession(r *Recording, s Snapshot) {
	session := Session{ID: b.id, Start: b.state.Start, Stop: b.state.Stop}
	if sid := canonicalSessionID(s.SessionID); sid != "" {
		session.SIPSessionIDs = []string{sid}
	}
	if !b.state.Stop.IsZero() {
		session.Reasons = append(session.Reasons, s.Reasons...)
	}
	if s.SIPCallID != "" {
		session.Extensions = append(session.Extensions, Text("call-id", s.SIPCallID))
	}
	for _, p := range s.Diverted {
		session.Extensions = append(session.Extensions, Text("diverted-by", canonicalAOR(p.AOR)))
	}
	session.Extensions = append(session.Extensions, b.cfg.SessionExtensions...)
	if g, ok := b.group(); ok {
		r.Groups = []Group{g}
		session.GroupRef = g.ID
	}
	r.Sessions = []Session{session}
	r.SessionRecordingAssocs = []SessionRecordingAssoc{{
		SessionID: b.id, Associated: b.state.Associated, Disassociated: b.state.Disassociated,
	}}
}

// group is the group of the session: the operator's, else that of the calls
// which belong together.
func (b *Builder) group() (Group, bool) {
	switch {
	case b.cfg.Group != "":
		g := Group{ID: GroupID(b.cfg.Group).ID(), Associated: b.state.Start}
		g.Extensions = append(g.Extensions, Text("name", b.cfg.Group))
		g.Extensions = append(g.Extensions, b.cfg.GroupExtensions...)
		return g, true
	case !b.state.Group.IsZero():
		return Group{ID: b.state.Group.ID(), Associated: b.state.Grouped}, true
	}
	return Group{}, false
}

// addParticipants adds everyone who is or was in the session: each once, with
// an association per stay.
func (b *Builder) addParticipants(r *Recording) {
	r.Participants = make([]Participant, 0, len(b.state.Members))
	r.ParticipantSessionAssocs = make([]ParticipantSessionAssoc, 0, len(b.state.Members))
	for _, m := range b.state.Members {
		if r.Participant(m.ID) == nil {
			r.Participants = append(r.Participants, Participant{ID: m.ID, NameIDs: b.nameIDs(m), Extensions: b.extensionsOf(m.Role)})
		}
		r.ParticipantSessionAssocs = append(r.ParticipantSessionAssocs, ParticipantSessionAssoc{
			ParticipantID: m.ID, SessionID: b.id,
			Associated: m.Joined, Disassociated: b.left(m),
		})
	}
}

// addStreams adds the streams and, per participant, what it sends and receives:
// a stream is sent by its owner and received by the other side, while it is
// sent at all (RFC 7865 §6.8.1; hold by RFC 8068 §3.2.2). A mix is sent, and
// received, by all (RFC 8068 §3.3).
func (b *Builder) addStreams(r *Recording, streams []LabeledStream) {
	r.Streams = make([]Stream, 0, len(streams))
	for _, l := range streams {
		t := b.track(l.Label)
		r.Streams = append(r.Streams, Stream{ID: t.ID, SessionID: b.id, Label: l.Label})
	}
	r.ParticipantStreamAssocs = make([]ParticipantStreamAssoc, 0, len(b.state.Members))
	callers, callees := b.sent(Caller, streams), b.sent(Callee, streams)
	for _, m := range b.state.Members {
		a := ParticipantStreamAssoc{ParticipantID: m.ID, Associated: m.Joined, Disassociated: b.left(m)}
		switch {
		case !m.Left.IsZero():
		case m.Role == Caller:
			a.Send, a.Recv = callers, callees
		default:
			a.Send, a.Recv = callees, callers
		}
		r.ParticipantStreamAssocs = append(r.ParticipantStreamAssocs, a)
	}
}

// sent are the streams that a side of the call sends.
func (b *Builder) sent(by PartyRole, streams []LabeledStream) (out []ID) {
	for _, l := range streams {
		if t := b.track(l.Label); t.by(by) {
			out = append(out, t.ID)
		}
	}
	return out
}

// nameIDs is how a participant is named: by the operator, or as the call has it.
func (b *Builder) nameIDs(m Member) []NameID {
	if names := b.override(m.Role); len(names) > 0 {
		return names
	}
	return append([]NameID{{AOR: m.AOR, Name: m.Name}}, m.Others...)
}

func (b *Builder) extensionsOf(role PartyRole) []Extension {
	if role == Caller {
		return b.cfg.CallerExtensions
	}
	return b.cfg.CalleeExtensions
}

func (b *Builder) override(role PartyRole) []NameID {
	if role == Caller {
		return b.cfg.Caller
	}
	return b.cfg.Callee
}

// left is when a member left, at the latest when the session stopped.
func (b *Builder) left(m Member) time.Time {
	if m.Left.IsZero() && !b.state.Stop.IsZero() {
		return later(b.state.Stop, m.Joined)
	}
	return m.Left
}
