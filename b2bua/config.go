package b2bua

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/forker"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// Identity says whether both legs of a call show the same dialog identifiers.
type Identity string

// The two modes of identity.
const (
	// IdentityPreserve keeps Call-ID, From-tag and To-tag on both legs, so that
	// CDRs, Replaces and busy lamps work as without us. Forked answers keep
	// their To-tags, as a forking proxy would show them.
	IdentityPreserve Identity = "preserve"
	// IdentityRewrite gives leg B a Call-ID and tags of its own and hides the
	// caller's address in SDP (topology hiding).
	IdentityRewrite Identity = "rewrite"
)

// Config is what a Server needs. Transport, Txn, Media, Policy and Log are
// required.
type Config struct {
	Transport *transport.Layer
	Txn       *txn.Layer
	Media     *forker.Engine
	Networks  Networks              // that the media of legs goes over
	Policy    func() *policy.Engine // current rules; called once per new call
	Recorder  Recorder              // nil: nothing is recorded
	// Asked takes an INVITE without To-tag by which a recorder asks for a recording,
	// and false for every other. It answers it itself. Nil: none is.
	Asked func(tx *txn.ServerTx) bool
	Log   *slog.Logger

	Door Door // who may start a dialog
	// Doors are those of listeners that do not go by Door, by their URL.
	Doors    map[string]Door
	Asserted IdentitySource // "": AssertedTrusted
	MaxCalls int            // 0: no limit
	// Files is how many descriptors the process may have: who would need more gets 503.
	// 0: as many as it takes.
	Files    int
	Identity Identity     // "": IdentityPreserve
	Register RegisterMode // "": RegisterContact

	// SessionExpires is the session timer, in seconds, of calls whose parties
	// ask for none (RFC 4028); we keep it. 0: such calls have none.
	SessionExpires int
	// SessionSecond is how long a second of a session timer lasts. 0: a second.
	SessionSecond time.Duration
	// RingsEvery is how often a caller is told that it still rings. 0: a minute.
	RingsEvery time.Duration

	// Secret makes the tokens of registered phones. With the same secret a
	// phone has the same token after a restart. Nil: a random one.
	Secret []byte

	// TargetTimeout is how long a target of a route may stay silent before the
	// next one is tried. The last target has the transaction's own timeout.
	TargetTimeout time.Duration // 0: 5 s

	UserAgent  string // Server header of responses made here
	Registerer prometheus.Registerer
	OnEvent    func(Event)       // call.start and call.stop; must not block
	OnTarget   func(TargetEvent) // a target is down or up again; must not block
	OnReject   func(reason string)

	// OnMedia is told of each call's media before its first packet, and OnDialog
	// of the Call-ID of a leg that has one of its own before its first message.
	// Both name the call by its Call-ID, must not block and may be nil.
	OnMedia  func(call string, media *forker.Relay)
	OnDialog func(dialog, call string)
}

func (c *Config) defaults() {
	if c.Identity == "" {
		c.Identity = IdentityPreserve
	}
	if c.Register == "" {
		c.Register = RegisterContact
	}
	if c.TargetTimeout == 0 {
		c.TargetTimeout = 5 * time.Second
	}
	if c.UserAgent == "" {
		c.UserAgent = "sidetrack"
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.OnTarget == nil {
		c.OnTarget = func(TargetEvent) {}
	}
	if c.OnReject == nil {
		c.OnReject = func(string) {}
	}
}

// Event is a step in the life of a call.
type Event struct {
	Type   string // one of the Event constants
	Time   time.Time
	Call   Summary
	Reason string
	Status int // of EventFailed: what the caller got
}

// Summary is what an event tells of its call.
type Summary struct {
	Brief
	LegCallID string    // of leg B where it has one of its own; else ""
	Answered  time.Time // zero: it has not been
}

// The types of events. A call that was answered ends with EventStop, every other
// with EventFailed.
const (
	EventInitiated = "call.initiated" // its INVITE has come and has a route
	EventRinging   = "call.ringing"   // the first provisional answer of a callee
	EventStart     = "call.start"     // answered
	EventStop      = "call.stop"
	EventFailed    = "call.failed"
)

// made tells of a call who wants to know.
func (c *Config) made(call *Call) {
	a, b := call.legs[sideA].callID, call.legs[sideB].callID
	if c.OnMedia != nil {
		c.OnMedia(a, call.relay)
	}
	if c.OnDialog != nil && b != a {
		c.OnDialog(b, a)
	}
}
