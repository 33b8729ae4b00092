package forker

import (
	"encoding/binary"
	"time"
)

// DTMF says what becomes of a source's RFC 4733 telephone-events in the copy.
type DTMF uint8

// The rules.
const (
	DTMFPass DTMF = iota // copied as any packet
	DTMFDrop             // left out, without a gap in the numbering
	DTMFMask             // while an event lasts the codec's silence goes out in its place; where that is not known, nothing
)

// PauseMode says what goes to the recorder during a pause.
type PauseMode uint8

// The modes.
const (
	PauseStop    PauseMode = iota // nothing
	PauseSilence                  // the codec's silence for each packet that the source sends; nothing where that is not known, or there is no address
	PauseBeep                     // the same with a soft beep every two seconds, in codecs that can be written: PCMU, PCMA, G.722, L16
)

// Mask hides what is said from the recorder, from the next packet on until
// Unmask, while the copy goes on: for each packet leaves one that lasts as long
// and holds silence, or beeps with PauseBeep. Of codecs whose silence is not known,
// and of telephone-events, nothing leaves. Also with PauseStop nothing does.
func (t *Tap) Mask(mode PauseMode) {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	m := t.hiding()
	m.hidden, m.mode, m.beeper = true, mode, nil
}

// Unmask undoes Mask.
func (t *Tap) Unmask() {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	if t.masking != nil {
		t.masking.hidden = false
	}
}

// covered tells whether what is said is not to be heard now, and what in its
// place.
func (t *Tap) covered() (mode PauseMode, on bool) {
	switch m := t.masking; {
	case t.paused && (t.cfg.Pause == PauseStop || !t.rtp.IsValid() || t.withheld && t.waiting()):
		return PauseStop, true
	case m != nil && m.hidden:
		return m.mode, true
	}
	return t.cfg.Pause, t.paused
}

// cover makes what is heard in the place of a packet, with its header; false: nothing.
func (t *Tap) cover(b []byte, h *header, mode PauseMode, clock, now int64) ([]byte, header, bool) {
	m := t.hiding()
	c := t.codecs.of(h.pt)
	payload, ok := payloadOf(b, h)
	own := *h
	if !ok || !c.silent() || mode == PauseStop {
		return b, own, false
	}
	if mode == PauseBeep && m.beeper == nil {
		m.beeper = &beeper{}
	}
	out, done := m.blank(), false
	if mode == PauseBeep {
		out, done = m.beeper.append(out, c, payload, h, clock, now)
	}
	if !done {
		out = c.silenceLike(out, payload)
	}
	if out, ok = t.wrap(b, &own, out); !ok {
		return b, own, false
	}
	return out, own, true
}

const (
	eventTimeout = int64(200 * time.Millisecond) // after its last packet an event is over, though its end was lost
	eventTail    = 60 * time.Millisecond         // after its end the tone may still be in the audio: what has detected it hears its end late
	maxEvent     = 16                            // seconds, more than a duration can tell
	maxMasked    = 1280                          // octets of silence in one packet that stands for an event
)

// masking is what a tap has for what is not to be heard. Guarded by the relay's mutex.
type masking struct {
	scratch []byte
	event   *eventMask // of DTMFMask; nil: nothing has come yet

	hidden bool      // Mask
	mode   PauseMode // what is heard then
	beeper *beeper   // nil: there has been no beep
}

// eventMask is what a tap knows of its source and of the event under way. Times of the
// source are in the clock of its audio: an event's timestamp is, too, as it shares the source's;
// its duration is in the clock that the event's own payload type names (RFC 4733 §2.1).
type eventMask struct {
	audio   uint8  // payload type of the newest audio that can be silent
	heard   bool   // there was one
	covered uint32 // the source's time up to which something has been sent
	behind  int64  // arrival of the newest packet of that

	active bool   // an event lasts
	at     int64  // arrival of its newest packet
	ts     uint32 // as its packets say
	start  uint32 // the source's time at which it began
	lasts  uint32 // its duration, as far as known
	clock  int64  // of that
}

// telephoneEvent reads the part of RFC 4733 §2.3 that the clock needs.
func telephoneEvent(payload []byte) (end bool, duration uint32, ok bool) {
	if len(payload) < 4 {
		return false, 0, false
	}
	return payload[1]&0x80 != 0, uint32(binary.BigEndian.Uint16(payload[2:])), true
}

// mask applies the DTMF rule to a packet that came at that time. It gives what
// is to be sent, perhaps a packet of its own with another header; ok is false
// when there is nothing.
func (t *Tap) mask(b []byte, h *header, at int64) (out []byte, ok bool) {
	if t.cfg.DTMF == DTMFPass {
		return b, true
	}
	c := t.codecs.of(h.pt)
	if t.cfg.DTMF == DTMFDrop {
		return b, !c.event()
	}
	if t.hiding().event == nil {
		t.masking.event = &eventMask{}
	}
	m := t.masking.event
	if c.event() {
		return t.maskEvent(b, h, at)
	}
	payload, ok := payloadOf(b, h)
	if !ok {
		return b, true
	}
	clock, before := t.clockOf(h.pt), m.covered
	if c.silent() {
		m.audio, m.heard = h.pt, true
		if ticks := c.ticksOf(payload); ticks > 0 {
			m.covered, m.behind = h.ts+ticks, at
		}
	}
	switch {
	case !m.during(h.ts, clock, at):
		return b, true
	case !c.silent():
		return nil, false
	case int32(before-h.ts) > 0 && int32(m.until(clock)-h.ts) > 0:
		m.covered = before // the event's packet was here first
		return nil, false
	}
	return t.wrap(b, h, c.silenceLike(t.masking.blank(), payload))
}

// until is the source's time at which the event ends, as far as known, in the clock of
// its audio.
func (m *eventMask) until(clock int64) uint32 {
	return m.start + uint32(int64(m.lasts)*clock/max(m.clock, 1))
}

// during tells whether audio of that time may hold the tone of an event.
func (m *eventMask) during(ts uint32, clock, at int64) bool {
	m.active = m.active && at-m.at < eventTimeout
	ahead := int64(int32(m.until(clock) + ticks(int64(eventTail), clock) - ts))
	return m.active || m.at != 0 && at-m.at < int64(maxStraggle) && ahead > 0 && ahead < maxEvent*clock
}

// begin is the source's time at which the event h, which came at that time, begins. That is
// what it says, but for sources that give events of another clock timestamps of that.
func (m *eventMask) begin(h *header, own, audio, at int64) uint32 {
	if !m.heard || own == audio {
		return h.ts
	}
	expected := m.covered
	if silent := at - m.behind; silent > eventTimeout {
		expected += ticks(silent, audio)
	}
	off := int64(int32(h.ts - expected))
	if bound := audio * eventTimeout / int64(time.Second); off > bound || off < -bound {
		return expected
	}
	return h.ts
}

// maskEvent makes the silence for as long as the event has gone on since its
// packet before (RFC 4733 §2.5.1.2: the timestamp stays, the duration grows).
func (t *Tap) maskEvent(b []byte, h *header, at int64) ([]byte, bool) {
	m := t.masking.event
	payload, _ := payloadOf(b, h)
	end, duration, ok := telephoneEvent(payload)
	if !ok {
		return nil, false
	}
	again := h.ts == m.ts && m.at != 0 && at-m.at < eventTimeout
	if again && !m.active { // its end, repeated
		return nil, false
	}
	c, clock, own := t.codecs.of(m.audio), t.clockOf(m.audio), t.clockOf(h.pt)
	if !again {
		m.start = m.begin(h, own, clock, at)
	}
	from := m.start
	if ahead := int64(int32(m.covered - from)); m.heard && ahead > 0 && ahead < maxEvent*clock {
		from = m.covered
	}
	m.active, m.at, m.ts, m.lasts, m.clock = !end, at, h.ts, duration, own
	length := int32(m.until(clock) - from)
	if length <= 0 || !m.heard {
		return nil, false
	}
	silence := c.silenceFor(t.masking.blank(), int(length))
	lasts := c.ticksOf(silence[rtpHeaderSize:])
	if lasts == 0 {
		return nil, false
	}
	m.covered, m.behind = from+lasts, at
	h.ts, h.pt = from, m.audio
	out, ok := t.wrap(b, h, silence)
	if ok {
		out[1] &= 0x7f // the talkspurt goes on
	}
	return out, ok
}

// hiding gives the tap's masking, made if need be.
func (t *Tap) hiding() *masking {
	if t.masking == nil {
		t.masking = &masking{}
	}
	return t.masking
}

// room is memory to make a packet in. What was made there before is gone.
func (m *masking) room() []byte {
	if m.scratch == nil {
		m.scratch = make([]byte, 0, rtpHeaderSize+maxMasked)
	}
	return m.scratch[:0]
}

// blank is room with a header to be filled in by wrap.
func (m *masking) blank() []byte { return append(m.room(), make([]byte, rtpHeaderSize)...) }

// wrap makes the packet out, in which only the payload is there, one with h's
// numbers. b stays as it is: other taps have it, too. ok is false without payload.
func (t *Tap) wrap(b []byte, h *header, out []byte) ([]byte, bool) {
	t.masking.scratch = out // it may have grown
	if len(out) == rtpHeaderSize {
		return nil, false
	}
	out[0], out[1] = 0x80, b[1]&0x80
	writeHeader(out, h.pt, h.seq, h.ts, h.ssrc)
	h.payload = len(out) - rtpHeaderSize
	return out, true
}
