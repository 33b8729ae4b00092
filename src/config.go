package src

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/forker"
	"sidetrack/internal/redact"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/internal/srtp"
	"sidetrack/policy"
)

// Config is what a Client needs. Layer and Policy are required.
type Config struct {
	Recorders []Recorder
	Policy    func() *policy.Engine // the rules in force; asked once per call, from any goroutine
	Layer     *txn.Layer
	Transport *transport.Layer // whose listeners Recorder.Socket names; nil when none does
	Advertise netip.Addr       // our address in From, SDP and CNAME where nothing better is known
	UserAgent string           // "" leaves the header out

	// MaxStreams bounds the copied streams of one call where somebody asks for
	// another recording; those of the rules count and are made in any case. 0: no bound.
	MaxStreams int

	Log        *slog.Logger          // nil: discarded
	Registerer prometheus.Registerer // nil: no metrics registered
	Now        func() time.Time      // nil: time.Now

	// Decide asks a program about a call for which a rule has a policy.Ask. It
	// may take as long as ctx lives. Nil: rules that ask go by their OnError.
	Decide func(ctx context.Context, ask *policy.Ask, q Question) (Answer, error)

	// OnEvent is told of the start, stop, failure, pause and resumption of
	// recordings. It is called on a lane and must not block. May be nil.
	OnEvent func(Event)

	// OnDialog is told the Call-ID of each dialog with an SRS, and that of the call
	// for which it is, before its first message. It is called on a lane and must
	// not block. May be nil.
	OnDialog func(dialog, call string)

	// OnAction is told what parties and SRSs ask of recordings, refused or not, and of pauses that end by their limit. It
	// is called on a lane and must not block. May be nil.
	OnAction func(Action)

	// OnVerdict is told the story of each recording when it begins, when an SRS
	// takes it, and when it has ended; also of one that was wanted and never
	// began. It is called on a lane or by the caller of Begin and must not
	// block. May be nil.
	OnVerdict func(Verdict)
}

// Recorder is a named list of SRSs that stand in for each other.
type Recorder struct {
	Name              string
	SRS               []string       // SIP URIs, tried in this order; those of a Client are what it calls them, without passwords
	SkipFailoverCodes *regexp.Regexp // over a final code of three digits: a match ends the list; nil: none does
	FollowRedirects   bool           // the Contacts of a 3xx are asked
	Timeout           time.Duration  // one SRS's time for a final answer; 0: DefaultTimeout
	Hedge             time.Duration  // after so long without a final answer the next SRS is asked as well; 0: when the first has failed
	Retry             bool           // SRSs that were in trouble, and did not take a session, are asked again as long as the call lasts
	MidCall           MidCall        // what becomes of a recording whose SRS is lost in mid-call; "": MidCallMove
	RTCPTimeout       time.Duration  // an SRS that sends no RTCP for so long is asked, and left after twice as long; 0: only asked, when it used to
	Check             time.Duration  // how often a live SRS is asked within the dialog whether it is there; 0: never
	Buffer            time.Duration  // how much is kept while no SRS can be sent to; 0: the media engine's default; negative: nothing
	Replay            time.Duration  // how much of what was sent is kept for the SRS after a lost one; 0: as much as Buffer where there are several SRSs and MidCall moves; negative: nothing
	DTMF              forker.DTMF    // what becomes of telephone-events in the copy
	Pause             forker.PauseMode
	Transcode         Transcode // whether copies are turned into G.711
	HeaderExtensions  []string  // URIs of the RTP header extensions that copies keep (RFC 8285), at most forker.MaxExtensionID
	KeepSource        bool      // copies carry the source's SSRC, numbers and timestamps (forker.TapConfig.KeepSource)
	// Mask is what Client.Mask sends in place of audio; PauseStop: silence.
	Mask          forker.PauseMode
	SRTP          SRTP         // whether the copies leave encrypted
	Suites        []srtp.Suite // offered then, in this order; nil: AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80
	SRTPOverPlain bool         // their keys may go where there is no TLS
	PlainCopy     bool         // calls that the parties encrypt may be copied in clear (RFC 7866 §12)
	Dialect       Dialect      // how it is spoken to where that is not as the RFCs say
	Probe         Probe        // questions outside of calls
	Session       SessionTimer // how long a session lives without a refresh
	Strategy      Strategy     // in which order they are asked; "": StrategyOrdered
	Weights       []int        // for StrategyWeighted, by place in SRS; a missing one is 1
	Auth          *Auth        // what an SRS that asks is told; nil: nothing
	Accept        *Accept      // SRSs that may ask for recordings by INVITE; nil: none
	FromURI       string       // "": sip:<Advertise>
	ToURI         string       // "": the URI of the SRS
	Headers       []HeaderTemplate
	Socket        string // URL of the listener the RS leaves from; "": chosen by the target

	// TLS says whom its SRSs must be vouched for by and who we are, on TLS; a
	// ServerName in it is the name that each of them must prove in the place of
	// that in its URI. It is not changed. Nil: as Transport has it.
	TLS *tls.Config

	Network    string     // interface of the media engine that copies leave by; "": the first
	Parameters Parameters // how the parameters of a recording go

	// Each may be nil. The extensions, Caller and Callee give XML.
	Group, GroupExtension, SessionExtension, Caller, Callee, CallerExtension, CalleeExtension *policy.Template

	uris []string // of the SRSs, as they are asked; nobody is shown them
}

// Parameters says how the parameters of a recording (name → value) reach a
// recorder.
type Parameters string

// The ways: as extension data of the session element, or as headers X-NAME of
// INVITE and re-INVITEs.
const (
	ParametersMetadata Parameters = "metadata" // what "" means
	ParametersHeaders  Parameters = "headers"
)

// HeaderTemplate is a header field of every INVITE and re-INVITE to a recorder.
type HeaderTemplate struct {
	Name  string
	Value *policy.Template // over the INVITE of the CS
}

// DefaultTimeout is one SRS's time to answer when its recorder says nothing.
const DefaultTimeout = 4 * time.Second

// defaultReplay is as much as the media engine keeps by default of what has not
// been sent.
const defaultReplay = 10 * time.Second

// ownHeaders are those that no template may set: a dialog lives by them.
var ownHeaders = []string{
	"Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Route", "Record-Route",
	"Content-Type", "Content-Length", "Content-Disposition", "Content-Encoding", "MIME-Version",
	"Require", "Supported", "RSeq", "RAck",
	"Session-Expires", "Min-SE", "Date",
}

// owned reports whether a header is one of ownHeaders.
func owned(name string) bool {
	return slices.ContainsFunc(ownHeaders, func(own string) bool { return sip.SameName(name, own) })
}

func (c *Config) normalize() error {
	if c.Layer == nil || c.Policy == nil {
		return errors.New("src: Layer and Policy are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.OnAction == nil {
		c.OnAction = func(Action) {}
	}
	return nil
}

// index checks recorders and makes them findable by name.
func (c *Config) index(recorders []Recorder) (map[string]*Recorder, error) {
	byName := make(map[string]*Recorder, len(recorders))
	var errs []error
	for _, r := range recorders {
		if err := r.normalize(c.Advertise); err != nil {
			errs = append(errs, fmt.Errorf("recorder %q: %w", r.Name, err))
		}
		if byName[r.Name] != nil {
			errs = append(errs, fmt.Errorf("recorder %q: given twice", r.Name))
		}
		byName[r.Name] = &r
	}
	return byName, errors.Join(errs...)
}

// replay is Replay with its default: where there is no other SRS, or the
// recording is to end, it would only cost memory.
func (r *Recorder) replay() time.Duration {
	switch {
	case r.Replay < 0 || r.Buffer < 0 || r.MidCall == MidCallStop:
		return -1
	case r.Replay > 0 || len(r.SRS) < 2:
		return r.Replay
	}
	return cmp.Or(r.Buffer, defaultReplay)
}

func (r *Recorder) normalize(advertise netip.Addr) error {
	if r.Timeout <= 0 {
		r.Timeout = DefaultTimeout
	}
	if r.Mask == forker.PauseStop {
		r.Mask = forker.PauseSilence
	}
	if r.FromURI == "" && advertise.IsValid() {
		r.FromURI = "sip:" + sip.FormatHostPort(advertise.String(), 0)
	}
	if r.FromURI == "" {
		r.FromURI = "sip:anonymous.invalid" // RFC 3261 §8.1.1.3
	}
	r.Replay = r.replay()
	r.Accept.normalize(r.Name)
	r.Dialect.Style.Mixed = r.Dialect.Streams == StreamsMixed
	var errs []error
	if r.Name == "" || len(r.SRS) == 0 {
		errs = append(errs, errors.New("a name and at least one SRS are needed"))
	}
	errs = append(errs, r.checkSuites())
	r.uris, r.SRS = r.SRS, make([]string, len(r.SRS))
	for i, uri := range r.uris {
		r.SRS[i] = redact.Passwords(uri)
		if u, err := sip.ParseURI(uri); err != nil || u.Host == "" {
			errs = append(errs, fmt.Errorf("%q is no SIP URI", r.SRS[i]))
		}
	}
	for _, h := range r.Headers {
		if owned(h.Name) {
			errs = append(errs, fmt.Errorf("header %s is the client's own", h.Name))
		}
	}
	return errors.Join(errs...)
}
