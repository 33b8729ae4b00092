package src

import (
	"cmp"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/logs"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// The reasons of an end that are ours.
const (
	reasonShutdown  = "the recording client is shutting down"
	reasonStopped   = "stopped by the operator"
	reasonMoved     = "moved by the operator"
	reasonCallEnded = "the call ended"
	reasonAskedFor  = "; not moved, for this SRS had asked for it and can ask again" // behind another
	reasonEncrypted = "the call's audio is encrypted (SRTP): not recordable"
	reasonNoClear   = "the call's audio is encrypted (SRTP): not recorded in clear without plain_copy"
	reasonNoCodec   = "the call speaks no codec that can be turned into G.711"
	reasonNoAudio   = "the call has no audio that can be recorded"
)

// Session is one recording session (RS): the wish to record one call, the
// attempts to have an SRS take it, and the dialog with the one that did.
//
//	starting ──2xx──► recording ◄──► paused
//	    │              ▲  │             │
//	    │          2xx │  ▼ SRS lost    │
//	    │             moving ◄──────────┤
//	    │                 │             │
//	    └─────────────────┴─────────────┴──► ended
type Session struct {
	showing sync.Mutex
	shown   published // guarded by showing: what other goroutines see, beside what is set once

	// Set once.
	client   *Client
	call     *call
	lane     *txn.Lane
	id       string       // RFC 7865 session id, URL-safe
	log      *slog.Logger // written to from the lane
	recorder *Recorder
	name     string         // unique among the live ones of the call
	of       *policy.Wanted // what a rule wants; nil: somebody else wants it
	by       Initiator
	required bool
	byHand   bool // begun by a party in mid-call
	onHold   policy.OnHold
	tone     *tone // nil: none
	notify   func(metadata.RecordingState, string)
	started  time.Time
	builder  *metadata.Builder

	// All below is owned by the lane.
	added        Particulars
	headers      []sip.Header       // of every INVITE and re-INVITE
	cs           *metadata.Snapshot // the call, newest; not changed
	state        metadata.RecordingState
	since        time.Time
	ended        time.Time // this and the result stay once they are shown
	result       Result
	reason       string
	alarms       []Alarm              // what is known before the end
	announcement *policy.Announcement // still to be heard; nil: none
	takenAt      time.Time
	// recorded is how long it has been in the state recording, up to since.
	recorded  time.Duration
	streams   streams
	origin    origin
	version   uint64      // of our newest description
	described fingerprint // our description that is in force
	paused    bool        // by the operator
	hushed    bool        // EventPaused has been told, EventResumed has not
	limited   bool        // it is just ending by its limit
	taken     bool        // an SRS has taken it, now or before
	masks     masks       // whose voice is hidden
	sealed    bool        // the SRS of the moment is offered SRTP, and nothing else
	plain     bool        // the next one is not

	plan      []int // indexes in recorder.SRS still to be asked
	target    int   // index of the one asked last
	attempts  []Attempt
	attempt   *attempt // the one that was made last, or the one that was taken
	rivals    rivals   // those under way
	srs       string
	sipCallID string

	leg      *leg          // the dialog; nil until an SRS has taken the session
	agreed   *agreement    // what the SRS has accepted last
	updates  updates       // our re-INVITEs
	incoming incomingOffer // an offer exchange that the SRS began
	timer    sessionTimer
	watch    watch      // whether the SRS is still there
	moving   moving     // from one SRS to another
	retry    retry      // when none has taken it yet
	limit    *txn.Timer // of the pause; nil: none
	aliveAt  time.Time  // last sign of life of the SRS
	guard    guard      // of a call that must be recorded
	linger   linger     // when the call is over and not all has been sent
}

// agreement is what the SRS knows: of our description, and of the document.
type agreement struct {
	sense fingerprint // of our offer
	told  metadata.Told
}

// agree notes what the SRS has accepted.
func (s *Session) agree(o *offer, told metadata.Told) {
	s.agreed, s.described = &agreement{sense: o.sense(), told: told}, fingerprintOf(o.version, o.body)
}

func newSession(k *call, w wish) *Session {
	s := &Session{
		client: k.client, call: k, lane: k.lane, recorder: w.recorder, name: w.name, of: w.of, by: cmp.Or(w.by, InitiatorRule),
		required: w.required, byHand: w.byHand, onHold: w.onHold, notify: w.notify, guard: w.guard, cs: k.cs, state: metadata.StateStarting,
		streams: streams{tracks: w.tracks, media: w.media}, added: w.particulars,
	}
	s.announcement = w.announcement
	if w.tone != nil {
		s.tone = &tone{w.tone}
	}
	if s.recorder == nil {
		s.recorder = &Recorder{Name: w.recorderName}
	}
	s.streams.transcode, s.streams.extensions = s.recorder.Transcode, s.recorder.HeaderExtensions
	s.streams.secure = s.recorder.PlainCopy || s.recorder.seals()
	if s.notify == nil {
		s.notify = func(metadata.RecordingState, string) {}
	}
	s.streams.dialect = &s.recorder.Dialect
	s.started = s.now()
	s.since, s.moving.at = s.started, s.started
	s.log = logs.About(k.client.log, s.namedWithSRS)
	id := metadata.NewV4()
	s.id = id.URLSafe()
	s.builder = s.newBuilder(id)
	s.headers = s.renderHeaders()
	s.origin = origin{sessionID: rand.Uint64N(1 << 62), addr: k.client.cfg.Advertise}
	s.publish()
	return s
}

// named says in a line of the log which session it is about.
func (s *Session) named(line *slog.Record) {
	line.AddAttrs(slog.String("call", s.cs.ID), slog.String("recorder", s.recorder.Name), slog.String("recording", s.id))
}

// namedWithSRS is named with the SRS that has the session, where one has.
func (s *Session) namedWithSRS(line *slog.Record) {
	s.named(line)
	if s.leg != nil {
		line.AddAttrs(slog.String("srs", s.srs), slog.String("sip_call_id", s.sipCallID))
	}
}

// logger is that of the session, whichever SRS has it.
func (s *Session) logger() *slog.Logger { return logs.About(s.client.log, s.named) }

// start begins the recording, or says why there will be none. A call that has
// no audio yet may get some: then the session waits for it.
func (s *Session) start() {
	if len(s.recorder.SRS) == 0 {
		s.finish(Failed, "recorder "+s.recorder.Name+" is not configured")
		return
	}
	s.follow()
	if s.retry.waiting { // for ports; it is taken up when its time has come
		return
	}
	if !s.streams.recordable() {
		s.wait()
		return
	}
	switch err := s.fork(); {
	case errors.Is(err, forker.ErrClosed): // the call has ended meanwhile, and will say so
	case errors.Is(err, forker.ErrNoPorts) && s.postponed(err):
	case err != nil:
		s.finish(Failed, err.Error())
	default:
		s.plan = s.order()
		if len(s.plan) == 0 {
			s.finish(Failed, "every SRS of recorder "+s.recorder.Name+" is drained")
			return
		}
		s.next()
	}
}

func (s *Session) wait() {
	encrypted := func(m metadata.MediaStream) bool { return m.Kind == "audio" && m.Secure }
	keyed := func(m metadata.MediaStream) bool { return encrypted(m) && m.Keyed }
	switch {
	case !s.streams.secure && slices.ContainsFunc(s.cs.Streams, keyed):
		s.finish(Refused, reasonNoClear)
	case slices.ContainsFunc(s.cs.Streams, encrypted):
		s.finish(Refused, reasonEncrypted)
	case slices.ContainsFunc(s.cs.Streams, s.streams.unrendered):
		s.finish(Refused, reasonNoCodec)
	case s.required:
		s.finish(Refused, reasonNoAudio)
	default:
		s.log.Debug("waiting for audio to record")
	}
}

// fork makes the taps that are missing. Each party has a CNAME of its own that
// tells nothing about it (RFC 7866 §8.3.1, RFC 7022).
func (s *Session) fork() error {
	r := s.recorder
	cfg := forker.TapConfig{Recorder: r.Name, Session: s.id, Interface: r.Network, Buffer: r.Buffer, Replay: max(r.Replay, 0), Linger: longestLinger, DTMF: r.DTMF, Pause: r.Pause, Transcode: r.Transcode.on(), KeepSource: r.KeepSource}
	err := s.streams.fork(s.call.relay, cfg, func(p metadata.PartyRole) string {
		return string(p) + "-" + s.id + "@sidetrack"
	}, s.hides)
	for _, st := range s.streams.all {
		if st.tap == nil {
			continue
		}
		if from, _ := st.tap.Local(); from.IsValid() && !from.Addr().IsUnspecified() {
			s.origin.addr = from.Addr()
		}
	}
	s.steerTaps() // what is not wanted is not kept either
	s.publish()
	return err
}

// onSnapshot takes a change of the call.
func (s *Session) onSnapshot(cs *metadata.Snapshot) {
	if s.state == metadata.StateEnded {
		return
	}
	s.cs = cs
	s.announce()
	s.watchOver()
	if s.attempt == nil {
		s.start()
		return
	}
	s.follow()
	if s.streams.untapped() {
		_ = s.fork() // it is kept from now on, whenever the SRS can be told of it; what cannot be copied is logged then
	}
	if !s.tells() {
		s.builder.Note(s.snapshot(), s.streams.labeled(), s.now())
	}
	s.steer()
	s.changed()
}

// onUp takes the session into being: an SRS has accepted it.
func (s *Session) onUp(a *attempt, answers []answered) {
	s.leg = a.leg
	s.agree(&a.offer, a.doc.Told())
	s.apply(a.offer, answers)
	a.proposal = nil
	s.steerTaps()
	s.heard()
	s.client.health.carries(s.recorder.Name, s.srs, 1)
	s.moving.upAt = s.now()
	if s.taken && s.silent() {
		s.become(metadata.StatePaused, string(s.pauseCause()))
	} else {
		s.become(metadata.StateRecording, "")
	}
	if s.taken {
		s.onMoved()
	} else {
		s.onTaken()
	}
	s.watch.start(s)
	s.updates.due = s.updates.due || s.streams.untapped()
	s.showPause()
	s.flush() // what happened since the INVITE was written
	s.testify()
}

// onTaken tells of the first SRS that has taken the session.
func (s *Session) onTaken() {
	s.taken, s.takenAt = true, s.now()
	s.noteFirst()
	s.announce()
	s.noteGaps()
	s.client.metrics.active.WithLabelValues(s.recorder.Name).Inc()
	wanted := s.cs.Answered
	if s.by != InitiatorRule { // in mid-call
		wanted = s.started
	}
	s.client.metrics.started(s.recorder.Name, wanted, s.now())
	s.tell(EventStart, "")
	s.log.Info("recording", "attempts", len(s.attempts), "streams", len(s.streams.all))
}

// apply takes what the SRS answered to an offer of ours.
func (s *Session) apply(o offer, answers []answered) {
	for i, a := range answers {
		st := s.streams.all[i]
		if o.media[i].Port == 0 {
			continue // it was not offered; should it be back by now, it is kept until it has been
		}
		st.agree(a, o.numbers[i], o.media[i].Direction.Sends())
		if st.refused && !st.gone {
			s.client.trouble.warn(s.log, s.srs, "stream refused by the SRS", "label", st.label, "reason", a.Reason)
		}
	}
}

func (s *Session) become(state metadata.RecordingState, reason string) {
	now := s.now()
	if s.state == metadata.StateRecording {
		s.recorded += now.Sub(s.since)
	}
	s.state, s.since = state, now
	s.publish()
	s.call.sound()
	s.notify(s.audible(), reason)
	s.watchOver()
}
