package config

import (
	"log/slog"
	"net/netip"
	"regexp"
	"time"

	"sidetrack/policy"
)

// Config is a whole, valid configuration: every default is filled in, every
// name that refers to something has been found. It is read-only after Load.
type Config struct {
	File      string // path it was read from
	SIP       SIP
	Media     Media
	Policy    policy.Config // routes and recording rules, in order
	Numbers   []NumberList  // files that rules go by, each once
	Recorders []Recorder    // in the order of the file
	Journal   Journal
	HTTP      HTTP
	Webhooks  Webhooks
	HEP       HEP
	Tracing   Tracing
	Log       Log

	// Warnings are no mistakes, but the operator should read them: each names
	// something that is allowed and seldom meant.
	Warnings Problems

	needs   []need                    // see Unmet
	examine func(file string) error   // a file that is to be the journal; nil: any can
	hidden  map[*policy.Template]bool // not to be shown: from the environment
	shown   any                       // see Shown
}

// SIP is the signalling side.
type SIP struct {
	Listen    []string       // canonical URLs: proto://address:port
	Listeners []Listener     // the same, taken apart, with the host to advertise
	Advertise string         // as configured; "" when it was not
	TLS       *TLS           // nil when not configured
	Trusted   []netip.Prefix // who may start a dialog; see Admission
	Certified *Certified     // by whose certificate one may, too; nil: by none
	SignIn    *SignIn        // how others prove who they are; nil: they may not
	MaxCalls  int            // 0: no limit
	Identity  string         // IdentityPreserve or IdentityRewrite
	Asserted  string         // AssertedTrusted, AssertedAlways or AssertedNever
	Register  string         // RegisterContact or RegisterPath
	Rate      Rate           // of requests that begin something
	DSCP      int            // of what leaves; 0: the system's own

	SessionExpires time.Duration // timer of calls whose parties ask for none; 0: they have none
	Trace          int64         // bytes of SIP messages kept of calls; 0: none
	Drain          time.Duration // how long running calls may last after SIGTERM

	MaxConns          int // TCP and TLS connections that others may have open to us
	MaxConnsPerSource int // from one address (IPv6: one /64)
}

// Rate bounds requests per second; 0: no limit.
type Rate struct {
	PerSource, Total int
}

// Listener is one socket.
type Listener struct {
	URL       string         // canonical; equals its entry in SIP.Listen
	Proto     string         // udp, tcp or tls
	Addr      netip.AddrPort // where it binds; the address may be unspecified
	Advertise string         // host for Via, Contact and Record-Route; never empty, IPv6 without brackets
	Trusted   []netip.Prefix // who may start a dialog by it; nil: as SIP.Trusted says
	Certified *Certified     // the same by certificate, where it has that of its own
	SignIn    *SignIn        // and how others prove who they are by it, where it has that of its own

	own          bool // Advertise was written for it
	ownCertified bool // trusted_certificates was
	ownSignIn    bool // auth was
}

// The values of SIP.Identity.
const (
	IdentityPreserve = "preserve" // Call-ID and tags the same on both legs
	IdentityRewrite  = "rewrite"  // our own on each leg: topology hiding
)

// The values of SIP.Asserted: who is believed to say who the parties are.
const (
	AssertedTrusted = "trusted" // who sip.trusted lists, and the targets of routes
	AssertedAlways  = "always"
	AssertedNever   = "never"
)

// The values of SIP.Register.
const (
	RegisterContact = "contact" // our own Contact in the place of the phone's
	RegisterPath    = "path"    // a Path header (RFC 3327) beside the phone's Contact
)

// TLS names the files of the TLS listeners and connections.
type TLS struct {
	Certificate, Key string // PEM; our own certificate chain and key
	CA               string // PEM; whom we trust; "": the system's
	VerifyClient     bool   // a client must show a certificate signed by CA
	ServerName       string // that peers must prove; "": that of their URI
}

// Media is the RTP side.
type Media struct {
	Listen    netip.Addr // where RTP sockets bind; may be unspecified
	Advertise netip.Addr // put into SDP; never unspecified
	PortMin   int        // first port, even
	PortMax   int        // last port, odd
	Timeout   time.Duration

	DSCP     int       // of what leaves; 0: the system's own
	Networks []Network // others than the one that Listen, Advertise and the ports describe

	LatchAnywhere bool // the media of a party is believed from any host that shows a run of packets

	MaxRate    int // packets a second that a port takes from its party; 0: no limit
	MaxStreams int // of one call that are copied, where somebody asks for another recording; 0: no limit
	Batch      int // copies that leave as one send; 0: each by itself; AdaptiveBatch: 4 under load
}

// AdaptiveBatch as Media.Batch means: under load only.
const AdaptiveBatch = -1

// Recorder is a named list of SRSs that stand in for each other.
type Recorder struct {
	Name              string
	SRS               []string       // SIP URIs in the order in which they are tried
	SkipFailoverCodes *regexp.Regexp // over a three digit final code; nil: none stops the list
	Timeout           time.Duration  // one SRS's time to answer
	Buffer            time.Duration  // how much audio is kept while no SRS can be sent to; 0: none
	Replay            time.Duration  // how much of what was sent is kept for the SRS after a lost one; 0: nothing
	Hedge             time.Duration  // after so long without an answer the next SRS is asked as well; 0: not before the first has failed
	Retry             bool           // SRSs in trouble that did not take a session are asked again while the call lasts
	MidCall           MidCall        // what becomes of a recording whose SRS is lost in mid-call
	RTCPTimeout       time.Duration  // how long an SRS may send no RTCP until it is asked; after twice as long it is left; 0: for ever
	Check             time.Duration  // how often a live SRS is asked whether it is there; 0: never
	DTMF              DTMF           // what becomes of telephone-events in the copy
	Pause             Pause          // what is sent during a pause
	Mask              Pause          // what is sent in place of audio that is masked; never PauseStop
	Transcode         Transcode
	SSRC              SSRC     // whose numbers the copies carry
	HeaderExtensions  []string // URIs of the RTP header extensions that copies keep
	SRTP              SRTP     // whether the copies leave encrypted
	Suites            []string // offered then; nil: the client's own choice
	SRTPOverPlain     bool     // their keys may go where there is no TLS
	PlainCopy         bool     // calls that the parties encrypt may be copied in clear
	FollowRedirects   bool     // the Contacts of a 3xx are asked
	Dialect           Dialect
	Probe             Probe
	Session           SessionTimer
	Strategy          Strategy
	Weights           []int   // by place in SRS; empty: all the same
	Auth              *Auth   // nil: none
	Accept            *Accept // SRSs that may ask for recordings by INVITE; nil: none
	FromURI           string  // never empty
	ToURI             string  // "": the URI of the SRS
	Headers           []HeaderTemplate
	Network           string     // that copies leave by; "": the first
	Parameters        Parameters // how name → value reaches it
	Socket            string     // URL of a listener; "": chosen by the target
	TLS               *TLS       // of connections to its SRSs; nil: SIP.TLS

	// Nil when not given. The extensions, Caller and Callee are XML fragments
	// whose values are escaped by the template itself.
	Group, GroupExtension, SessionExtension, Caller, Callee, CallerExtension, CalleeExtension *policy.Template
}

// Parameters says how the parameters of a recording reach a recorder.
type Parameters string

// The ways: as extension data of the metadata, or as headers X-NAME.
const (
	ParametersMetadata Parameters = "metadata"
	ParametersHeaders  Parameters = "headers"
)

// MidCall is a rule for the loss of an SRS while the call goes on.
type MidCall string

// The rules: the recording goes on with the next SRS, or ends.
const (
	MidCallMove MidCall = "move"
	MidCallStop MidCall = "stop"
)

// DTMF is a rule for RFC 4733 telephone-events.
type DTMF string

// The rules: copied, left out, or replaced by silence.
const (
	DTMFPass DTMF = "pass"
	DTMFDrop DTMF = "drop"
	DTMFMask DTMF = "mask"
)

// SSRC says whose SSRC, sequence numbers and timestamps the copies carry.
type SSRC string

// Those of the copy's own, one continuous space, or those of the source.
const (
	SSRCOwn    SSRC = "own"
	SSRCSource SSRC = "source"
)

// Transcode says whether copies are turned into G.711.
type Transcode string

// The values: never, where an SRS takes none of the call's codecs, or always.
const (
	TranscodeOff      Transcode = "off"
	TranscodeFallback Transcode = "fallback"
	TranscodePCMA     Transcode = "pcma"
	TranscodePCMU     Transcode = "pcmu"
)

// Pause is a form of a recording's pause.
type Pause string

// The forms: nothing is sent, silence, or a soft beep now and then.
const (
	PauseStop    Pause = "stop"
	PauseSilence Pause = "silence"
	PauseBeep    Pause = "beep"
)

// HeaderTemplate is a header added to the INVITE of a recording session.
type HeaderTemplate struct {
	Name   string
	Value  *policy.Template // use ExecuteHeader
	Secret bool             // came out of the environment: never to be shown
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // text or json
	Redact bool   // numbers of people are masked
	Rate   int    // lines a second at most; 0: no limit
}

// DefaultLogRate is Log.Rate where nothing is configured: room for each line of the
// calls of a busy proxy.
const DefaultLogRate = 2000
