package forker

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"
)

// TapConfig names a Tap.
type TapConfig struct {
	Label     string // a=label of the copy
	CNAME     string // SDES CNAME (RFC 3550 §6.5.1) of the copy; empty: none is sent
	Recorder  string // metrics label
	Session   string // whose recording it is: taps of the same live and die with one recorder
	Interface string // over which it leaves; "": the first

	// Buffer is how much of the flow is kept while there is no address to send
	// it to; 0: Config.Buffer; negative: nothing is kept.
	Buffer time.Duration

	// Replay is how much of what has been sent is kept until Confirm, for the
	// recorder after this one; see Tap.Rewind. 0: nothing. It gives way to what
	// has not been sent.
	Replay time.Duration

	// Linger is how long the tap outlives its relay when that is closed while
	// something is kept, so that it may leave still; 0: not at all.
	Linger time.Duration

	DTMF  DTMF      // what becomes of telephone-events; needs SetCodecs
	Pause PauseMode // what is sent during a pause; needs SetCodecs

	// Paused has the tap begin as if Pause had been called before the first packet.
	Paused bool

	// Transcode has what the recorder has not taken of the call's codecs turned
	// into G.711, where it has taken that: SendTo's pt then names a payload type of
	// SetCodecs that is PCMU or PCMA, on the call or not.
	Transcode bool

	// KeepSource has the copy carry the source's SSRC, sequence numbers and
	// timestamps in place of its own. What is left out is a hole in them then. Only
	// a source that begins anew under an SSRC that has left already, and those beyond
	// the eighth, are numbered anew, so that no two packets of the copy look like one.
	KeepSource bool
}

// unmapped marks payload types that are not copied.
const unmapped = 0xff

// Tap is the copy of one Flow, an RTP source of its own towards a recorder:
// own ports, SSRC, sequence numbers and timestamps, continuous for the Tap's
// whole life over pauses, changes of source and moves to another recorder,
// unless TapConfig.KeepSource asks for those of the source.
// Safe for concurrent use; its state is guarded by the relay's mutex.
type Tap struct {
	// set once
	relay  *Relay
	cfg    TapConfig
	pair   *portPair
	flow   *flow
	totals *recorderTotals
	ssrc   uint32

	// guarded by relay.mu
	closed      bool
	paused      bool
	withheld    bool           // paused, and what is kept does not leave either
	loose       bool           // the socket could not be connected to rtp
	rtp         netip.AddrPort // where copies go; zero: nowhere
	rtcp        netip.AddrPort
	pt          [128]uint8
	codecs      codingTable
	transcoder  *transcoder // nil: TapConfig.Transcode is not set
	nums        numbering
	backlog     backlog
	replay      replay
	batch       batch
	heard       int64 // arrival of the newest packet of the flow
	until       int64 // the relay is closed, and so will this be then; 0: it is not
	rested      int64 // when it last sent on without a packet that came
	counts      tapCounters
	reports     reports
	reception   reception
	masking     *masking    // nil: nothing has been hidden
	extensions  *extensions // nil: copies have none
	duet        *duet       // what it copies is a mix; nil: a flow
	seal        seal
	rtcpIn      atomic.Uint64
	rtcpAddress atomic.Pointer[netip.Addr]
}

// tapCounters are the plain numbers behind TapStats.
type tapCounters struct {
	in, copied, octets, payload uint64
	again                       uint64 // of copied: sent before
	dropped                     Drops
	unreachable                 uint64
	first, last                 int64
}

func newTap(r *Relay, cfg TapConfig, totals *recorderTotals) (*Tap, error) {
	pair, err := r.engine.take(cfg.Interface, r.worker, true)
	if err != nil {
		return nil, err
	}
	t := &Tap{relay: r, cfg: cfg, pair: pair, totals: totals, ssrc: rand.Uint32(), paused: cfg.Paused}
	if cfg.KeepSource {
		t.nums.kept = &kept{own: t.ssrc}
	}
	if cfg.Transcode {
		t.transcoder = &transcoder{pt: unmapped}
	}
	t.backlog = backlog{store: &r.engine.store, limit: int64(r.engine.cfg.Buffer)}
	if cfg.Buffer != 0 {
		t.backlog.limit = int64(max(cfg.Buffer, 0))
	}
	t.replay = replay{store: t.backlog.store, limit: int64(cfg.Replay)}
	for i := range t.pt {
		t.pt[i] = unmapped
	}
	if err := pair.rtcp.attach(&route{kind: routeReports, tap: t}); err != nil {
		pair.release()
		return nil, err
	}
	return t, nil
}

// Local gives the addresses the copy is sent from, to be put into the offer to
// the recorder.
func (t *Tap) Local() (rtp, rtcp netip.AddrPort) { return t.pair.pool.place.address(t.pair) }

// SetFormats gives the clock rate in Hz of each payload type of the call;
// others count as 8000. It replaces what was set before.
func (t *Tap) SetFormats(clock map[uint8]int) {
	codecs := make(map[uint8]Codec, len(clock))
	for pt, hz := range clock {
		codecs[pt] = Codec{Clock: hz}
	}
	t.SetCodecs(codecs)
}

// SetCodecs is SetFormats with the codecs' names, which the rules for DTMF and
// pauses go by.
func (t *Tap) SetCodecs(codecs map[uint8]Codec) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	t.codecs.set(codecs)
	t.aimTranscoder()
}

// SendTo has copies sent to rtp, and RTCP to rtcp. pt maps the call's payload
// types to the recorder's; a type that is not in it is left out without a gap in
// the numbering. What is not Copyable has no place in it. Calling it again moves the copy. A zero, unspecified or port 0
// rtp address stops it; a zero rtcp one stops RTCP.
//
// While there is no address, from Fork on, packets are kept (TapConfig.Buffer)
// and not lost. With the next address they leave first, in order, numbered and
// stamped as they would have been, at up to four times the pace at which
// packets come; those that come meanwhile queue behind them. When more has come
// than may be kept the oldest are dropped and show as a loss.
func (t *Tap) SendTo(rtp, rtcp netip.AddrPort, pt map[uint8]uint8) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.closed {
		return
	}
	for i := range t.pt {
		t.pt[i] = unmapped
		if to, ok := pt[uint8(i)]; ok {
			t.pt[i] = to & 0x7f
		}
	}
	t.aimTranscoder()
	t.moveTo(sendable(rtp))
	t.rtcp = sendable(rtcp)
	t.reception.met = false // an exchange may have renewed the receiver
	host := t.rtcp.Addr()
	t.rtcpAddress.Store(&host)
	t.catchUp(catchUpPace, t.relay.engine.now())
}

// moveTo connects the socket to the recorder, so that the kernel looks the
// route up once and tells of ICMP errors.
func (t *Tap) moveTo(rtp netip.AddrPort) {
	if rtp == t.rtp {
		return
	}
	t.flush(t.relay.engine.now())
	t.batch.barred = false
	t.reception.worst = 0
	t.rtp, t.loose = rtp, false
	if err := t.pair.rtp.connect(rtp); err != nil {
		t.loose = true // each packet will meet, and count, the kernel's reason
		t.relay.engine.cfg.Log.Warn("connecting a copy", "label", t.cfg.Label, "to", rtp, "error", err)
	}
}

// told is what send is told of where to: nothing while the socket is connected.
func (t *Tap) told() netip.AddrPort {
	if t.loose {
		return t.rtp
	}
	return netip.AddrPort{}
}

func sendable(a netip.AddrPort) netip.AddrPort {
	if !a.IsValid() || a.Port() == 0 || a.Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return unmap(a)
}

// Pause stops copying: of the packets that come after it has returned none
// leaves, because packets are copied under the mutex that Pause has taken
// meanwhile, or only silence in its place (PauseSilence, PauseBeep). What came before and is still kept leaves all the same while there
// is an address; SendTo without one holds it back, too, and so does Withhold. The source is followed
// on, RTCP goes on (RFC 3264 §5.1).
func (t *Tap) Pause() { t.pause(false) }

// Withhold is Pause, and what came before and is still kept leaves after Resume
// only, or after Pause. While there is something of that, silence is not sent
// either: it would have to queue behind it, and push it out in the end.
func (t *Tap) Withhold() { t.pause(true) }

func (t *Tap) pause(withhold bool) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	t.flush(t.relay.engine.now())
	t.withheld = withhold
	if t.paused {
		return
	}
	t.paused = true
	if t.cfg.Pause != PauseStop {
		return // what goes on needs no new beginning
	}
	if t.backlog.n > 0 {
		t.backlog.cut = true
		return
	}
	t.nums.pause()
}

// Resume goes on copying: the numbering without a gap, the timestamp on by the
// time that has passed.
func (t *Tap) Resume() {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	t.paused, t.withheld = false, false
}

// Stats gives a snapshot. It stays readable after Close.
func (t *Tap) Stats() TapStats {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	c, e, r := &t.counts, t.relay.engine, &t.reception
	return TapStats{
		Label: t.cfg.Label, SSRC: t.source(), In: c.in, Copied: c.copied - min(c.again, c.copied), Again: c.again, AtRisk: t.replay.forgone, Octets: c.octets, Dropped: c.dropped,
		Unreachable: c.unreachable, RTCPSent: t.reports.sent, RTCPIn: t.rtcpIn.Load(), RTCPOther: r.strange, Paused: t.paused, Heard: t.duet.heard(),
		Buffered: t.backlog.n + t.batch.n + t.replay.ahead,
		First:    e.wall(c.first), Last: e.wall(c.last), Remote: t.rtp,
		RRs: r.reports, LastRR: e.wall(r.at), FractionLost: float64(r.fraction) / 256, CumulativeLost: r.lost,
		Jitter: r.jitter, RTT: r.trip,
	}
}

// Close ends the copy with an RTCP BYE (RFC 3550 §6.3.7) and lets its ports
// drain. What is still kept is discarded. Idempotent.
func (t *Tap) Close() {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	t.shut()
}

// shut is Close for who holds the mutex.
func (t *Tap) shut() {
	if t.closed {
		return
	}
	now := t.relay.engine.now()
	t.flush(now)
	t.sendBye()
	t.closed = true
	t.duet.end()
	t.relay.engine.due.remove(t)
	t.discard()
	t.relay.drop(t)
	t.pair.release()
}

// discard throws the backlog away, counted by what kept it from leaving.
func (t *Tap) discard() {
	reason := DropClosed
	switch {
	case t.withheld:
		reason = DropWithheld
	case !t.rtp.IsValid():
		reason = DropNoAddress
	}
	t.dropMany(reason, t.backlog.clear())
	t.replay.clear()
}
