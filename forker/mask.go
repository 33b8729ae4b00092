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
	t.masking.hidden, t.masking.mode, t.masking.beeper = true, mode, nil
}

// Unmask undoes Mask.
func (t *Tap) Unmask() {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	t.masking.hidden = false
}

// covered tells whether what is said is not to be heard now, and what in its
// place.
func (t *Tap) covered() (mode PauseMode, on bool) {
	switch m := &t.masking; {
	case t.paused && (t.cfg.Pause == PauseStop || !t.rtp.IsValid() || t.withheld && t.waiting()):
		return PauseStop, true
	case m.hidden:
		return m.mode, true
	}
	return t.cfg.Pause, t.paused
}

// cover makes what is heard in the place of a packet; false: nothing.
func (t *Tap) cover(b []byte, h *header, mode PauseMode, clock, now int64) ([]byte, bool) {
	m := &t.masking
	c := t.codecs.of(h.pt)
	payload, ok := payloadOf(b, h)
	if !ok || !c.silent() || mode == PauseStop {
		return b, false
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
	own := *h
	if out, ok = t.wrap(b, &own, out); !ok {
		return b, false
	}
	return out, true
}

const (
	eventTimeout = int64(200 * time.Millisecond) // after its last packet an event is over, though its end was lost
	eventTail    = 60 * time.Millisecond         // after its end the tone may still be in the audio: what has detected it hears its end late
	maxEvent     = 1 << 17                       // ticks, more than a duration can tell
	maxMasked    = 1280                          // octets of silence in one packet that stands for an event
)

// masking is what a tap knows of the event under way. Guarded by the relay's
// mutex.
type masking struct {
	audio   uint8 // payload type of the newest audio
	heard   bool  // there was one
	active  bool  // an event lasts
	at      int64 // arrival of its newest packet
	ts      uint32
	until   uint32 // the source's time at which it ends, as far as known
	tail    uint32 // eventTail in that time
	covered uint32 // the source's time up to which something has been sent
	scratch []byte

	hidden bool      // Mask
	mode   PauseMode // what is heard then
	beeper *beeper   // nil: there has been no beep
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
	m := &t.masking
	c := t.codecs.of(h.pt)
	if t.cfg.DTMF == DTMFPass {
		return b, true
	}
	if c.event() {
		if t.cfg.DTMF == DTMFDrop {
			return nil, false
		}
		return t.maskEvent(b, h, at)
	}
	payload, ok := payloadOf(b, h)
	if !ok {
		return b, true
	}
	before := m.covered
	m.audio, m.heard = h.pt, true
	if ticks := c.ticksOf(payload); ticks > 0 {
		m.covered = h.ts + ticks
	}
	if !m.during(h.ts, at) {
		return b, true
	}
	if int32(before-h.ts) > 0 && int32(m.until-h.ts) > 0 {
		m.covered = before // the event's packet was here first
		return nil, false
	}
	return t.wrap(b, h, c.silenceLike(m.blank(), payload))
}

// during tells whether audio of that time may hold the tone of an event.
func (m *masking) during(ts uint32, at int64) bool {
	m.active = m.active && at-m.at < eventTimeout
	ahead := int32(m.until + m.tail - ts)
	return m.active || m.at != 0 && at-m.at < int64(maxStraggle) && ahead > 0 && ahead < maxEvent
}

// maskEvent makes the silence for as long as the event has gone on since its
// packet before (RFC 4733 §2.5.1.2: the timestamp stays, the duration grows).
func (t *Tap) maskEvent(b []byte, h *header, at int64) ([]byte, bool) {
	m := &t.masking
	payload, _ := payloadOf(b, h)
	end, duration, ok := telephoneEvent(payload)
	if !ok {
		return nil, false
	}
	if !m.active && m.at != 0 && h.ts == m.ts && at-m.at < eventTimeout { // its end, repeated
		return nil, false
	}
	from := h.ts
	if ahead := int32(m.covered - from); m.heard && ahead > 0 && ahead < maxEvent {
		from = m.covered
	}
	m.active, m.at, m.ts, m.until, m.tail = !end, at, h.ts, h.ts+duration, ticks(int64(eventTail), t.clockOf(h.pt))
	length := int32(h.ts + duration - from)
	c := t.codecs.of(m.audio)
	if length <= 0 || !m.heard || !c.silent() || t.clockOf(h.pt) != t.clockOf(m.audio) {
		return nil, false
	}
	silence := c.silenceFor(m.blank(), int(length))
	lasts := c.ticksOf(silence[rtpHeaderSize:])
	if lasts == 0 {
		return nil, false
	}
	m.covered = from + lasts
	h.ts, h.pt = from, m.audio
	out, ok := t.wrap(b, h, silence)
	if ok {
		out[1] &= 0x7f // the talkspurt goes on
	}
	return out, ok
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
