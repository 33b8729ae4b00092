package policy

import (
	"net/netip"
	"regexp"
	"time"
)

// Match is a set of conditions; all that are set must hold, and one without
// any matches every request. The zero value of a field sets no condition.
type Match struct {
	Source     []netip.Prefix            // the sender is within one of these
	Listener   string                    // URL of the receiving listener
	Method     []string                  // one of these methods; case-sensitive, RFC 3261 §7.1
	From, To   *regexp.Regexp            // over the URI of the header
	RequestURI *regexp.Regexp            // over the Request-URI
	Header     map[string]*regexp.Regexp // by name, over the value; a missing header never matches
	Route      string                    // name of the route taken; recording rules only

	Asserted  *regexp.Regexp // over a value of P-Asserted-Identity (RFC 3325)
	Diversion *regexp.Regexp // over a value of Diversion (RFC 5806) or History-Info (RFC 7044)
	Codec     []string       // one of these is offered; names of RFC 4855, without regard to case
	Numbers   *Numbers       // one of the parties in NumbersOf is on the list
	NumbersOf []Party        // nil: caller and callee
	Windows   []Window       // the request came within one of these
	Sample    Share          // the call is in this share of all

	Any []Match // at least one of these holds
	All []Match // all of these hold
	Not *Match  // this one does not hold
}

// Party is one whose number a list is asked for.
type Party string

// The values of Party.
const (
	PartyCaller    Party = "from"              // From
	PartyCallee    Party = "to"                // To
	PartyRequested Party = "request_uri"       // the Request-URI
	PartyAsserted  Party = "asserted_identity" // P-Asserted-Identity
	PartyDiverting Party = "diversion"         // Diversion, History-Info
)

// Route says where a request goes that starts a dialog.
type Route struct {
	Name       string
	Match      Match
	Targets    []Target // tried in this order; not used when RequestURI is set
	RequestURI bool     // the Request-URI itself is the target

	// FailoverCodes are the final codes after which the next target is asked;
	// nil: those that speak of the target and not of who is called.
	FailoverCodes   *regexp.Regexp
	Parallel        bool          // targets are rung together; the first answer wins
	NoAnswer        time.Duration // how long a target may ring before the next is asked; 0: until Timer C
	FollowRedirects bool          // the Contacts of a 3xx are asked; else the caller gets it
	Headers         []RouteHeader // set in what goes out by this route
	Network         string        // of the media towards the target; "": the first
	Auth            *Credentials  // shown to targets without their own that ask calls for them; nil: the caller is asked
	SRTP            *SRTP         // where SRTP ends; nil: it passes
	Probe           Probe         // how its targets are asked whether they are there
	Aware           Awareness     // how phones are told of recording
}

// Probe says how the targets of a route are asked by OPTIONS whether they are
// there, calls or not.
type Probe struct {
	Interval time.Duration  // 0: they are not asked
	Timeout  time.Duration  // for an answer; 0: 4 s
	Codes    *regexp.Regexp // final codes of one that is there; nil: all but 408 and 5xx
}

// Target is one of those a route leads to.
type Target struct {
	URI     string        // SIP URI; may bear headers, ?X-Name=value
	Auth    *Credentials  // of this target alone; nil: the route's
	Headers []RouteHeader // set in what goes to this target, after the route's
	Secret  bool          // the headers of URI are never to be shown
}

// Targets are targets without anything of their own.
func Targets(uris ...string) []Target {
	out := make([]Target, len(uris))
	for i, uri := range uris {
		out[i].URI = uri
	}
	return out
}

// Credentials are for a digest (RFC 3261 §22).
type Credentials struct{ User, Password string }

// RouteHeader is a header field that a route sets.
type RouteHeader struct {
	Name   string
	Value  *Template
	Secret bool // never to be shown
}

// NoRecorder is the recorder's name in a rule whose calls are not recorded.
const NoRecorder = "none"

// Rule says how the calls that it matches are recorded.
type Rule struct {
	Name     string
	Match    Match
	Recorder string   // name of a recorder, or NoRecorder
	Also     []string // further recorders, each with a recording of its own
	Tracks   Tracks   // "" means TracksBoth
	Start    Start    // "" means StartAnswer
	Required bool     // the call may only go on when it is recorded
	Demanded []string // … by these of its recorders; nil: by all
	OnHold   OnHold   // "" means OnHoldPause

	OnUnrecorded    OnUnrecorded  // "" means OnUnrecordedAllow, or OnUnrecordedReject where Required
	UnrecordedAfter time.Duration // for OnUnrecordedHangUp: how long the call may go on

	Tone     *Tone     // heard while the call is recorded; nil: none
	Continue bool      // the rules behind it are asked, too
	Controls *Controls // how the parties may steer it; nil: not at all
	Decide   *Ask      // who is asked about its calls; nil: nobody
	Once     bool      // a conversation that passes us several times is recorded once

	Media    []string      // kinds of m-lines that are copied (audio, video, text); nil: audio
	Announce *Announcement // heard before the call or when it is recorded; nil: nothing
}

// Tracks says whose voice is recorded.
type Tracks string

// The values of Tracks.
const (
	TracksBoth   Tracks = "both"
	TracksCaller Tracks = "caller"
	TracksCallee Tracks = "callee"
)

// Caller reports whether what the caller sends is recorded.
func (t Tracks) Caller() bool { return t != TracksCallee }

// Callee reports whether what the callee sends is recorded.
func (t Tracks) Callee() bool { return t != TracksCaller }

// Start says when a recording begins.
type Start string

// The values of Start.
const (
	StartAnswer Start = "answer" // with the final answer to the call
	StartManual Start = "manual" // when somebody asks for it
	StartEarly  Start = "early"  // with the first provisional answer that carries SDP
)

// OnHold says what happens to the recording while a call is held.
type OnHold string

// The values of OnHold.
const (
	OnHoldPause  OnHold = "pause"  // nothing is copied until the call is resumed
	OnHoldIgnore OnHold = "ignore" // whatever is sent is copied
)

// OnUnrecorded says what becomes of a call that no recorder records.
type OnUnrecorded string

// The values of OnUnrecorded. What is demanded of whom, Required and Demanded say.
const (
	OnUnrecordedAllow  OnUnrecorded = "allow"  // it goes on
	OnUnrecordedReject OnUnrecorded = "reject" // it is not answered; once it is, it goes on
	OnUnrecordedHangUp OnUnrecorded = "hangup" // it is ended, also in mid-call
)

// Config is everything an Engine is made of. Both lists are in order: the
// first match wins.
type Config struct {
	Routes []Route

	Registered *SRTP     // as Route.SRTP, of calls to phones that registered through us
	Aware      Awareness // as Route.Aware, of these
	Rules      []Rule
}
