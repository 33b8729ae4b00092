package forker

import (
	"fmt"
	"net/netip"
	"runtime/debug"
	"slices"
	"time"

	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

// Side is one of the call's two legs.
type Side int

// SideA is the caller's leg, SideB the callee's.
const (
	SideA Side = iota
	SideB
)

// String gives the side as metrics and logs name it.
func (s Side) String() string {
	if s == SideA {
		return "caller"
	}
	return "callee"
}

// Flow is a direction of media.
type Flow int

// AB is what the caller sends to the callee, BA what the callee sends.
const (
	AB Flow = iota
	BA
)

// Remote is what one side's SDP says of one m-line.
type Remote struct {
	RTP, RTCP netip.AddrPort // signalled addresses; RTCP zero: RTP port + 1, or RTP with Mux
	Mux       bool           // RTCP may come on the RTP port (a=rtcp-mux in that side's SDP, RFC 5761)
	Disabled  bool           // port 0: nothing is accepted from and nothing sent to that side
	Sends     bool           // that party is to send (sendrecv or sendonly)
	RTPKind   bool           // the m-line is RTP; false: opaque datagrams (T.38, ...)
	Source    netip.Addr     // optional: host that the party's signalling comes from; its media is believed at once
	Secure    bool           // that party sends SRTP: without Key nothing of it is copied
	Key       *srtp.Key      // what that party protects its RTP with; taps copy the clear packets, the relay passes on what came. Not changed by us.
	More      []*srtp.Key    // further keys of that party, told apart by their MKI
	Ended     bool           // SRTP ends here: of a Secure party only what Key opens is passed on, in clear or under the other side's Own
	DTLS      *dtls.Peer     // with Ended and Secure: the keys come from this association on the media path; Key and Own are not used
	Own       *srtp.Key      // with Ended and Secure: what we protect with what goes to that party; nil: nothing goes
}

// Relay is the media of one call. Safe for concurrent use.
type Relay struct {
	engine *Engine
	worker int // that reads its sockets

	// mu guards everything below and all that the routes, streams and taps of
	// this relay hold. It is held for one datagram, its sends included, which
	// never wait.
	mu        relayLock
	closed    bool
	via       [2]string // interfaces, by Side
	streams   []*stream
	taps      []*Tap
	onTimeout func()
	keys      keys
	tones     [2]*toning // by Flow
	watch     watching
	hosts     [2]netip.Addr // from which each side's RTP was admitted last; its other ports' media is believed
	since     int64         // from when silence counts
	tellAt    int64         // strangers are not told of before
	stepped   time.Duration // how far the time of day had been set when the call began (Engine.stepped)
	panicked  bool          // told once
}

// unlock ends the handling of a datagram. A fault of ours met on the way costs
// that datagram, not the process and its other calls.
func (r *Relay) unlock() {
	if p := recover(); p != nil && !r.panicked {
		r.panicked = true
		r.engine.cfg.Log.Error("handling a datagram", "panic", p, "stack", string(debug.Stack()))
	}
	r.mu.Unlock()
}

// SetStreams makes the relay have at least n streams, each with an even/odd
// pair of ports towards either side. When ports are missing it changes nothing
// and the error wraps ErrNoPorts.
func (r *Relay) SetStreams(n int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	var added []*stream
	for len(r.streams)+len(added) < n {
		s, err := r.openStream()
		if err != nil {
			for _, s := range added {
				r.releaseStream(s)
			}
			return fmt.Errorf("opening ports of stream %d: %w", len(r.streams)+len(added), err)
		}
		added = append(added, s)
	}
	r.streams = append(r.streams, added...)
	return nil
}

func (r *Relay) openStream() (*stream, error) {
	a, err := r.engine.take(r.via[SideA], r.worker, false)
	if err != nil {
		return nil, err
	}
	b, err := r.engine.take(r.via[SideB], r.worker, false)
	if err != nil {
		a.release()
		return nil, err
	}
	s, err := newStream(r, [2]*portPair{a, b})
	if err != nil {
		a.release()
		b.release()
	}
	return s, err
}

func (r *Relay) releaseStream(s *stream) {
	for side := range s.legs {
		s.legs[side].pair.release()
	}
}

// Local gives the advertised addresses of a stream towards one side, to be
// put into the SDP sent there; zero when there is no such stream.
func (r *Relay) Local(side Side, stream int) (rtp, rtcp netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.has(stream) {
		return rtp, rtcp
	}
	pair := r.streams[stream].legs[side].pair
	return pair.pool.place.address(pair)
}

func (r *Relay) has(stream int) bool { return stream >= 0 && stream < len(r.streams) }

// SetRemote tells what a side's SDP says of a stream, at every offer and
// answer that took effect. Before the first call nothing from that side is
// accepted. As long as the address stays the party stays latched; 0.0.0.0
// stops what is sent to it and keeps the latch, and so does an address that nothing may be sent to. Streams that do not exist are
// ignored.
func (r *Relay) SetRemote(side Side, stream int, remote Remote) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !r.has(stream) {
		return
	}
	l := &r.streams[stream].legs[side]
	said := remote.RTP
	remote, barred := r.bar(remote)
	if barred && !l.media.muted {
		r.engine.cfg.Log.Warn("media is not sent where the description wants it: to a group of hosts, or to our own port",
			"stream", stream, "side", side.String(), "to", said)
	}
	r.streams[stream].flows[side].secrecy.set(remote)
	l.ends(r, remote)
	if remote.Sends && !l.remote.Sends {
		r.since = r.engine.now()
	}
	if l.set(remote) {
		r.hosts[side] = netip.Addr{}
	}
}

// Fork makes a Tap on one flow of a stream and binds an even/odd pair of ports
// for it. Nothing is copied before Tap.SendTo. Errors: ErrClosed, ErrNoPorts
// wrapped, or no such stream.
func (r *Relay) Fork(stream int, flow Flow, cfg TapConfig) (*Tap, error) {
	totals := r.engine.recorder(cfg.Recorder)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, ErrClosed
	case !r.has(stream) || flow != AB && flow != BA:
		return nil, fmt.Errorf("forking flow %d of stream %d: no such flow", flow, stream)
	}
	t, err := newTap(r, cfg, totals)
	if err != nil {
		return nil, fmt.Errorf("opening ports of label %q: %w", cfg.Label, err)
	}
	t.flow = &r.streams[stream].flows[flow]
	t.flow.taps = append(t.flow.taps, t)
	r.taps = append(r.taps, t)
	return t, nil
}

// drop takes a tap out; the caller holds mu.
func (r *Relay) drop(t *Tap) {
	is := func(o *Tap) bool { return o == t }
	t.flow.taps = slices.DeleteFunc(t.flow.taps, is)
	r.taps = slices.DeleteFunc(r.taps, is)
	if r.closed && len(r.taps) == 0 {
		r.engine.forget(r)
	}
}

// Stats gives a snapshot. It stays readable after Close.
func (r *Relay) Stats() RelayStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := RelayStats{Streams: make([]StreamStats, len(r.streams))}
	for i, s := range r.streams {
		for f := range s.flows {
			out.Streams[i].Flows[f] = s.legs[f].stats(&s.flows[f], r.engine.wall)
		}
	}
	return out
}

// OnTimeout has f called once, from a goroutine of the engine, when none of
// the parties that are to send RTP has done so for Config.Timeout. f must not
// wait; it may close the relay. Setting it again arms it again; nil disarms.
func (r *Relay) OnTimeout(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onTimeout = f
	r.since = r.engine.now()
}

// Close ends the relay and its taps, but for those that linger
// (TapConfig.Linger); no datagram is passed on once it returns. The ports drain
// before they are used again. Idempotent.
func (r *Relay) Close() { r.end(false) }

// end is Close; at once has no tap linger.
func (r *Relay) end(atOnce bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.engine.now()
	was := r.closed
	r.closed = true
	for i := len(r.taps) - 1; i >= 0; i-- {
		switch {
		case atOnce:
			r.taps[i].shut()
		case !was:
			r.taps[i].leave(now)
		}
	}
	if was {
		return
	}
	for _, s := range r.streams {
		s.legs[SideA].hangUp()
		s.legs[SideB].hangUp()
		r.releaseStream(s)
	}
	r.onTimeout = nil
	r.watch.ends()
	if len(r.taps) == 0 {
		r.engine.forget(r)
	}
}
