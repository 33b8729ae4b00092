package forker

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"sidetrack/internal/audio"
)

// A duet is the source of a tap that has both parties of a stream in one: what
// they say is decoded, added, and leaves as G.711, 20 ms a packet, on a clock of
// its own that begins with the first packet of either and goes on until the tap
// closes, whether anybody speaks or not. It is an RTP mixer (RFC 7866 §8.2.2):
// the SSRC is the tap's, the CSRC list has who is heard.
const (
	duetFrame  = g711Rate / 50 // samples of a packet
	duetTime   = int64(20 * time.Millisecond)
	duetBehind = 25 // packets that a mix makes up for at most, when its goroutine was held up

	// The payload types that a duet knows its own packets by (RFC 3551 §6), as call's ones in SetCodecs and SendTo.
	duetPCMU = 0
	duetPCMA = 8
)

type duet struct {
	tap    *Tap
	dtmf   DTMF
	voices [2]voice // by Flow

	// Guarded by the relay's mutex.
	begun bool // something has been heard
	done  chan struct{}
	over  bool // done is closed
	ulaw  bool // the call speaks PCMU rather than PCMA

	// The goroutine's.
	start int64 // when the first packet was due; 0: none has been
	now   int64 // time of the mix, in samples: how much has left
	head  header
	enc   [2]audio.Encoder // PCMU, PCMA
	sum   [duetFrame]int32
	pcm   [duetFrame]int16
	csrc  []uint32
	buf   []byte

	panicked bool // told once
}

// ForkMixed makes a Tap that has what both parties say on a stream in one, mono
// G.711 (see duet). Its payload types are 0, PCMU, and 8, PCMA: Tap.SetCodecs and
// SendTo go by these, whatever the call speaks; Tap.SetVoice tells what the parties
// speak. TapConfig.DTMF with anything but DTMFPass silences a party beside its
// telephone-events, which are not part of the mix; KeepSource has no meaning. In
// all else it is a Tap as any other. The errors are those of Fork.
func (r *Relay) ForkMixed(stream int, cfg TapConfig) (*Tap, error) {
	totals := r.engine.recorder(cfg.Recorder)
	if !r.engine.join() {
		return nil, ErrClosed
	}
	t, err := r.forkMixed(stream, cfg, totals)
	if err != nil {
		r.engine.running.Done()
		return nil, err
	}
	go t.duet.run()
	return t, nil
}

func (r *Relay) forkMixed(stream int, cfg TapConfig, totals *recorderTotals) (*Tap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, ErrClosed
	case !r.has(stream):
		return nil, fmt.Errorf("mixing stream %d: no such stream", stream)
	}
	d := newDuet(cfg.DTMF)
	cfg.DTMF, cfg.KeepSource, cfg.Transcode = DTMFPass, false, true // a recorder may take the other law
	t, err := newTap(r, cfg, totals)
	if err != nil {
		return nil, fmt.Errorf("opening ports of label %q: %w", cfg.Label, err)
	}
	d.tap, t.duet = t, d
	t.flow = &flow{taps: []*Tap{t}}
	t.codecs.set(map[uint8]Codec{duetPCMU: {Name: "PCMU", Clock: g711Rate}, duetPCMA: {Name: "PCMA", Clock: g711Rate}})
	for f := range d.voices {
		v := &d.voices[f]
		v.flow = &r.streams[stream].flows[f]
		v.flow.voices = append(v.flow.voices, v)
	}
	r.taps = append(r.taps, t)
	return t, nil
}

func newDuet(dtmf DTMF) *duet {
	d := &duet{
		dtmf: dtmf, done: make(chan struct{}),
		head: header{marker: true, seq: uint16(rand.Uint32()), ts: rand.Uint32(), ssrc: rand.Uint32()},
	}
	for i, law := range []kind{kindPCMU, kindPCMA} {
		codec, _ := coding{kind: law, channels: 1}.speech(g711Rate)
		d.enc[i] = codec.NewEncoder()
	}
	for f := range d.voices {
		d.voices[f].duet = d
	}
	return d
}

// SetVoice tells what the payload types mean of the party that sends a flow, for a
// tap of ForkMixed. It replaces what was set before.
func (t *Tap) SetVoice(f Flow, codecs map[uint8]Codec) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.duet != nil && (f == AB || f == BA) {
		t.duet.voices[f].codecs.set(codecs)
		t.duet.ulaw = t.duet.speaks(kindPCMU) && !t.duet.speaks(kindPCMA)
	}
}

func (d *duet) speaks(k kind) bool {
	for f := range d.voices {
		for _, e := range d.voices[f].codecs.entries {
			if e.coding.kind == k {
				return true
			}
		}
	}
	return false
}

// Mute has a tap of ForkMixed hear nothing of the party that sends a flow: of what
// comes after it has returned nothing is mixed in while it is muted.
func (t *Tap) Mute(f Flow, muted bool) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.duet != nil && (f == AB || f == BA) {
		t.duet.voices[f].muted = muted
	}
}

// end stops the mix; the caller holds the relay's mutex.
func (d *duet) end() {
	if d == nil || d.over {
		return
	}
	d.over = true
	close(d.done)
	for f := range d.voices {
		v := &d.voices[f]
		for i, o := range v.flow.voices {
			if o == v {
				v.flow.voices = append(v.flow.voices[:i:i], v.flow.voices[i+1:]...)
				break
			}
		}
	}
}

// heard is how many packets of each party the mix has taken in.
func (d *duet) heard() (n [2]uint64) {
	if d != nil {
		n = [2]uint64{d.voices[AB].packets, d.voices[BA].packets}
	}
	return n
}

func (d *duet) run() {
	e := d.tap.relay.engine
	defer e.running.Done()
	tick := time.NewTicker(time.Duration(duetTime))
	defer tick.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-d.done:
			return
		case <-tick.C:
			d.mix(e.now())
		}
	}
}

// mix sends the packets that are due. A fault of ours costs them, not the process.
func (d *duet) mix(at int64) {
	defer func() {
		if p := recover(); p != nil && !d.panicked {
			d.panicked = true
			d.tap.relay.engine.cfg.Log.Error("mixing", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if !d.collect() {
		return
	}
	if d.start == 0 {
		d.start = at
	}
	due := (at-d.start)/duetTime + 1 - d.now/duetFrame
	late := 0
	if due > duetBehind { // what was held up so long shows as a gap in time
		skipped := (due - 1) * duetFrame
		d.now += skipped
		d.head.ts += uint32(skipped)
		due = 1
		for f := range d.voices {
			late += d.voices[f].skip(at - voiceDelay*int64(time.Second)/g711Rate)
		}
	}
	for f := range d.voices {
		late += d.voices[f].hear(d.now)
	}
	for range due {
		d.frame(at, late)
		late = 0
	}
}

// collect takes the inboxes; false: there is nothing to mix yet.
func (d *duet) collect() bool {
	m := &d.tap.relay.mu.Mutex // not through relayLock: that would close the lanes of other streams
	m.Lock()
	defer m.Unlock()
	for f := range d.voices {
		v := &d.voices[f]
		v.inbox, v.work = v.work, v.inbox
	}
	return d.begun && !d.over
}

// frame makes one packet and has the tap copy it.
func (d *duet) frame(at int64, late int) {
	clear(d.sum[:])
	d.csrc = d.csrc[:0]
	for f := range d.voices {
		v := &d.voices[f]
		if v.speak(d.sum[:], d.now) && v.ssrc != d.tap.ssrc {
			d.csrc = append(d.csrc, v.ssrc)
		}
	}
	for i, s := range d.sum {
		d.pcm[i] = int16(min(max(s, math.MinInt16), math.MaxInt16))
	}
	d.now += duetFrame

	r := d.tap.relay
	r.mu.Mutex.Lock()
	defer r.unlock()
	if d.over {
		return
	}
	d.tap.dropMany(DropLate, late)
	h := d.head
	h.pt = d.law()
	d.packet(&h)
	d.tap.copy(d.buf, &h, at)
	d.head.marker = false
	d.head.seq++
	d.head.ts += duetFrame
}

// packet writes the mix as an RTP packet (RFC 3550 §5.1).
func (d *duet) packet(h *header) {
	first := byte(0x80 | len(d.csrc))
	second := byte(0)
	if h.marker {
		second = 0x80
	}
	d.buf = append(d.buf[:0], first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	writeHeader(d.buf, h.pt, h.seq, h.ts, h.ssrc)
	for _, c := range d.csrc {
		d.buf = binary.BigEndian.AppendUint32(d.buf, c)
	}
	from := len(d.buf)
	enc := d.enc[0]
	if h.pt == duetPCMA {
		enc = d.enc[1]
	}
	d.buf = enc.Encode(d.buf, d.pcm[:])
	h.payload = len(d.buf) - from
}

// law is the payload type that the recorder takes; where it takes both, or has not
// said yet, that of the call.
func (d *duet) law() uint8 {
	ulaw, alaw := d.tap.pt[duetPCMU] != unmapped, d.tap.pt[duetPCMA] != unmapped
	if ulaw && !alaw || ulaw == alaw && d.ulaw {
		return duetPCMU
	}
	return duetPCMA
}
