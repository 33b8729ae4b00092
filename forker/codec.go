package forker

import (
	"encoding/binary"
	"slices"
	"strings"
)

// Codec is what a payload type of the call means.
type Codec struct {
	Name     string // of a=rtpmap; case does not count
	Clock    int    // Hz of the RTP timestamp; 0: 8000
	Channels int    // 0: 1
}

// coding is what the media plane needs of a codec.
type coding struct {
	kind     kind
	channels uint8
}

// kind is a codec of which something is known.
type kind uint8

const (
	kindUnknown kind = iota
	kindEvent        // telephone-event, RFC 4733
	kindNoise        // CN, RFC 3389
	kindRED          // RFC 2198
	kindRepair       // of other packets
	kindPCMU
	kindPCMA
	kindG722
	kindL16
	kindG729
	kindOpus
)

var kinds = map[string]kind{
	"telephone-event": kindEvent, "cn": kindNoise, "red": kindRED, "pcmu": kindPCMU, "pcma": kindPCMA, "g722": kindG722, "l16": kindL16,
	"g729": kindG729, "opus": kindOpus,
}

func codingOf(c Codec) coding {
	name := strings.ToLower(c.Name)
	k, ok := kinds[name]
	if !ok && repairs(name) {
		k = kindRepair
	}
	return coding{kind: k, channels: uint8(min(max(c.Channels, 1), 8))}
}

// codingTable tells what payload types mean: the few that a call has.
type codingTable struct{ entries []codingEntry }

type codingEntry struct {
	pt     uint8
	coding coding
	clock  int32 // Hz; 0: defaultClock
}

// set replaces what the table tells.
func (t *codingTable) set(codecs map[uint8]Codec) {
	t.entries = make([]codingEntry, 0, len(codecs))
	for pt, c := range codecs {
		if pt < 128 {
			t.entries = append(t.entries, codingEntry{pt, codingOf(c), int32(max(c.Clock, 0))})
		}
	}
}

// find gives what a payload type means and its clock rate.
func (t *codingTable) find(pt uint8) (c coding, clock int64) {
	for i := range t.entries {
		if e := &t.entries[i]; e.pt == pt {
			if e.clock == 0 {
				return e.coding, defaultClock
			}
			return e.coding, int64(e.clock)
		}
	}
	return coding{}, defaultClock
}

func (t *codingTable) of(pt uint8) coding {
	c, _ := t.find(pt)
	return c
}

func (t *codingTable) clockOf(pt uint8) int64 {
	_, clock := t.find(pt)
	return clock
}

func (c coding) event() bool { return c.kind == kindEvent }

// beside tells what a source sends beside its audio, on the audio's clock whatever its
// own rate says (RFC 4733 §2.1, RFC 3389 §4).
func (c coding) beside() bool { return c.kind == kindEvent || c.kind == kindNoise }

// keys tells whether packets may hold telephone-events.
func (c coding) keys() bool { return c.kind == kindEvent || c.kind == kindRED }

// silent tells whether silence can be made in this codec.
func (c coding) silent() bool { return c.kind > kindRepair }

// plain tells whether a copy of it takes nothing but another header: no events, of which many packets
// have one timestamp and the first arrival counts, and nothing that is not Copyable.
func (c coding) plain() bool { return c.kind == kindUnknown || c.silent() }

// perTick is how many octets make one tick of the timestamp, 0 where they do not.
// G.722 has one, for its clock counts 8000 (RFC 3551 §4.5.2).
func (c coding) perTick() int {
	switch c.kind {
	case kindPCMU, kindPCMA:
		return int(c.channels)
	case kindG722:
		return 1
	case kindL16:
		return 2 * int(c.channels)
	}
	return 0
}

// ticksOf is how long a payload lasts.
func (c coding) ticksOf(payload []byte) uint32 {
	switch c.kind {
	case kindG729:
		return uint32((len(payload) + g729Frame - 1) / g729Frame * g729Ticks)
	case kindOpus:
		return opusTicks(payload)
	}
	if n := c.perTick(); n > 0 {
		return uint32(len(payload) / n)
	}
	return 0
}

// silenceLike appends silence that lasts as long as a payload of the same codec.
func (c coding) silenceLike(dst, payload []byte) []byte {
	switch c.kind {
	case kindG729:
		return g729Silence(dst, len(payload)/g729Frame, len(payload)%g729Frame > 0)
	case kindOpus:
		return opusSilence(dst, opusTicks(payload))
	}
	return c.fill(dst, len(payload))
}

// silenceFor appends silence of so many ticks, or less where the codec knows no
// such frame or the packet would be large; nothing when it knows none so short.
func (c coding) silenceFor(dst []byte, ticks int) []byte {
	switch c.kind {
	case kindG729:
		return g729Silence(dst, min(ticks/g729Ticks, maxMasked/g729Frame), false)
	case kindOpus:
		return opusSilence(dst, uint32(ticks))
	}
	n := c.perTick()
	return c.fill(dst, min(ticks, maxMasked/max(n, 1))*n)
}

// fill appends n octets of a codec whose silence is one octet again and again.
// That of G.722 is both bands' smallest step.
func (c coding) fill(dst []byte, n int) []byte {
	var octet byte
	switch c.kind {
	case kindPCMU, kindG722:
		octet = 0xff
	case kindPCMA:
		octet = 0xd5
	}
	from := len(dst)
	dst = slices.Grow(dst, n)[:from+n]
	for i := from; i < len(dst); i++ {
		dst[i] = octet
	}
	return dst
}

// G.729 (RFC 3551 §4.5.6): frames of 10 ms, and at the end of a packet perhaps
// the shorter comfort noise of Annex B.
const (
	g729Frame = 10
	g729Ticks = 80
)

var (
	// Both subframes with the codebooks' smallest gains, GA 5 and GB 14, and a
	// right parity of the pitch: what a decoder has said before dies away within
	// 30 ms. It needs no Annex B, and is as long as what it replaces.
	g729Quiet = [g729Frame]byte{0, 0, 0, 0x20, 0, 0x0b, 0xc0, 0, 0, 0x5e}
	// Comfort noise of the smallest energy.
	g729SID = [2]byte{}
)

func g729Silence(dst []byte, frames int, noise bool) []byte {
	for range frames {
		dst = append(dst, g729Quiet[:]...)
	}
	if noise {
		dst = append(dst, g729SID[:]...)
	}
	return dst
}

// Opus (RFC 6716 §3, RFC 7587 §4.2: the clock counts 48000). Silence is a CELT
// frame whose first symbol says so (§4.3); unlike an empty one, which has the
// decoder conceal a loss, it goes on with nothing of what was said before.
const (
	opusUnit      = 120 // ticks, 2.5 ms: the shortest frame
	opusMaxFrames = 48  // 120 ms
)

var opusCELT = [2]byte{0xff, 0xfe}

// opusTicks is how long a packet lasts by its first octets (§3.1, §3.2).
func opusTicks(payload []byte) uint32 {
	if len(payload) == 0 {
		return 0
	}
	frames := uint32(1)
	switch payload[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(payload) < 2 {
			return 0
		}
		frames = uint32(payload[1] & 0x3f)
	}
	ticks := frames * opusUnit * opusUnits(payload[0]>>3)
	if ticks > opusMaxFrames*opusUnit {
		return 0
	}
	return ticks
}

// opusUnits is the length of a frame of a configuration (§3.1, table 2).
func opusUnits(config byte) uint32 {
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [4]uint32{4, 8, 16, 24}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		return [2]uint32{4, 8}[config&1]
	}
	return 1 << (config & 3) // CELT: 2.5, 5, 10, 20 ms
}

// opusSilence appends a packet of full-band CELT frames that are silent.
func opusSilence(dst []byte, ticks uint32) []byte {
	units := min(ticks/opusUnit, opusMaxFrames)
	if units == 0 {
		return dst
	}
	size, frames := byte(3), units/8 // of 20 ms, or shorter where that does not go
	for ; units%(1<<size) != 0; size-- {
		frames = units >> (size - 1)
	}
	toc := (28 + size) << 3
	if frames == 1 {
		dst = append(dst, toc)
	} else {
		dst = append(dst, toc|3, byte(frames))
	}
	for range frames {
		dst = append(dst, opusCELT[:]...)
	}
	return dst
}

// payloadStart is where the payload of the RTP packet b begins.
func payloadStart(b []byte) int {
	from := rtpHeaderSize + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 && len(b) >= from+4 {
		from += 4 + 4*int(binary.BigEndian.Uint16(b[from+2:]))
	}
	return from
}

// payloadOf is the payload of the clear RTP packet b with the header h.
func payloadOf(b []byte, h *header) ([]byte, bool) {
	from := payloadStart(b)
	if from+h.payload > len(b) {
		return nil, false
	}
	return b[from : from+h.payload], true
}
