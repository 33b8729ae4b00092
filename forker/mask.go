package forker

import (
	"encoding/binary"
	"strings"
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
)

// Codec is what a payload type of the call means.
type Codec struct {
	Name     string // of a=rtpmap; case does not count
	Clock    int    // Hz of the RTP timestamp; 0: 8000
	Channels int    // 0: 1
}

const (
	eventTimeout = int64(200 * time.Millisecond) // after its last packet an event is over, though its end was lost
	maxEvent     = 1 << 17                       // ticks, more than a duration can tell
	maxMasked    = 1280                          // octets of silence in one packet
)

// coding is what a tap needs of a codec.
type coding struct {
	event   bool
	perTick uint8 // octets for one tick of the timestamp; 0: silence is not known
	fill    byte
}

func codingOf(c Codec) coding {
	switch strings.ToLower(c.Name) {
	case "telephone-event":
		return coding{event: true}
	case "pcmu":
		return coding{perTick: uint8(max(c.Channels, 1)), fill: 0xff}
	case "pcma":
		return coding{perTick: uint8(max(c.Channels, 1)), fill: 0xd5}
	case "g722": // both bands' smallest step; one octet a tick, as its clock counts 8000 (RFC 3551 §4.5.2)
		return coding{perTick: 1, fill: 0xff}
	case "l16":
		return coding{perTick: uint8(2 * max(c.Channels, 1))}
	}
	return coding{}
}

// masking is what a tap knows of the event under way. Guarded by the relay's
// mutex.
type masking struct {
	codings [128]coding
	audio   uint8 // payload type of the newest audio
	heard   bool  // there was one
	active  bool  // an event lasts
	at      int64 // arrival of its newest packet
	ts      uint32
	until   uint32 // the source's time at which it ends, as far as known
	covered uint32 // the source's time up to which something has been sent
	scratch []byte
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
	c := m.codings[h.pt&0x7f]
	if t.cfg.DTMF == DTMFPass {
		return b, true
	}
	if c.event {
		if t.cfg.DTMF == DTMFDrop {
			return nil, false
		}
		return t.maskEvent(b, h, at)
	}
	before := m.covered
	m.audio, m.heard = h.pt, true
	if c.perTick > 0 {
		m.covered = h.ts + uint32(h.payload)/uint32(c.perTick)
	}
	if !m.during(h.ts, at) {
		return b, true
	}
	if int32(before-h.ts) > 0 {
		m.covered = before // the event's packet was here first
		return nil, false
	}
	return t.silence(b, h, h.payload)
}

// during tells whether audio of that time may hold the tone of an event.
func (m *masking) during(ts uint32, at int64) bool {
	m.active = m.active && at-m.at < eventTimeout
	ahead := int32(m.until - ts)
	return m.active || m.at != 0 && at-m.at < int64(maxStraggle) && ahead > 0 && ahead < maxEvent
}

// maskEvent makes the silence for as long as the event has gone on since its
// packet before (RFC 4733 §2.5.1.2: the timestamp stays, the duration grows).
func (t *Tap) maskEvent(b []byte, h *header, at int64) ([]byte, bool) {
	m := &t.masking
	end, duration, ok := telephoneEvent(b[len(b)-h.payload:])
	if b[0]&0x20 != 0 || !ok {
		return nil, false
	}
	if !m.active && h.ts == m.ts && at-m.at < eventTimeout { // its end, repeated
		return nil, false
	}
	from := h.ts
	if ahead := int32(m.covered - from); m.heard && ahead > 0 && ahead < maxEvent {
		from = m.covered
	}
	m.active, m.at, m.ts, m.until = !end, at, h.ts, h.ts+duration
	ticks := int32(h.ts + duration - from)
	perTick := int32(m.codings[m.audio&0x7f].perTick)
	if ticks <= 0 || !m.heard || perTick == 0 || t.clockOf(h.pt) != t.clockOf(m.audio) {
		return nil, false
	}
	m.covered = from + uint32(ticks)
	h.ts, h.pt = from, m.audio
	out, ok := t.silence(b, h, int(min(ticks*perTick, maxMasked)))
	if ok {
		out[1] &= 0x7f // the talkspurt goes on
	}
	return out, ok
}

// silence builds a packet with h's numbers and n octets of its codec's silence.
// b stays as it is: other taps have it, too.
func (t *Tap) silence(b []byte, h *header, n int) ([]byte, bool) {
	m := &t.masking
	c := m.codings[h.pt&0x7f]
	if c.perTick == 0 || n > maxMasked {
		return nil, false
	}
	if m.scratch == nil {
		m.scratch = make([]byte, rtpHeaderSize+maxMasked)
	}
	out := m.scratch[:rtpHeaderSize+n]
	out[0], out[1] = 0x80, b[1]&0x80
	writeHeader(out, h.pt, h.seq, h.ts, h.ssrc)
	for i := range out[rtpHeaderSize:] {
		out[rtpHeaderSize+i] = c.fill
	}
	h.payload = n
	return out, true
}
