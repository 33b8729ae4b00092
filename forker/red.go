package forker

import (
	"encoding/binary"
	"strings"
)

// Copyable tells whether packets of a codec are copied as they are. Of RED (RFC 2198) the
// newest block is, under its own payload type: the older ones may be of what
// was hidden, and name payload types that the recorder may have given other numbers.
// Nothing is of what repairs other packets (FEC, RFC 5109 and 8627; retransmission, RFC 4588):
// it goes by sequence numbers that the copy has not.
func Copyable(c Codec) bool {
	switch codingOf(c).kind {
	case kindRED, kindRepair:
		return false
	}
	return true
}

// repairs tells a format that only repairs other packets, by its name in small letters.
func repairs(name string) bool { return name == "rtx" || strings.Contains(name, "fec") }

// primary finds the newest block in a payload of RED (RFC 2198 §3): its payload type and
// where it begins. All headers stand before all blocks, the newest one's of one octet last.
func primary(payload []byte) (pt uint8, from int, ok bool) {
	for i := 0; i < len(payload); i += 4 {
		if payload[i]&0x80 == 0 {
			from += i + 1
			return payload[i], from, from <= len(payload)
		}
		if i+4 > len(payload) {
			break
		}
		from += int(binary.BigEndian.Uint16(payload[i+2:]) & 0x3ff)
	}
	return 0, 0, false
}

// unwrapped makes the packet b of RED one of its newest block, in place; h becomes that packet's
// header. It is false for what is no RED.
func unwrapped(b []byte, h *header) ([]byte, bool) {
	payload, ok := payloadOf(b, h)
	if !ok {
		return b, false
	}
	pt, from, ok := primary(payload)
	if !ok {
		return b, false
	}
	copy(b[from:], b[:payloadStart(b)])
	b = b[from:]
	b[1] = b[1]&0x80 | pt
	h.pt, h.payload = pt, h.payload-from
	return b, true
}

// bared leaves only the newest block in the packet b of RED, in place.
func bared(b []byte, h *header) []byte {
	payload, ok := payloadOf(b, h)
	if !ok {
		return b
	}
	pt, from, ok := primary(payload)
	if !ok || from == 1 {
		return b
	}
	spare := from - 1
	copy(b[spare:], b[:payloadStart(b)])
	payload[spare] = pt
	h.payload -= spare
	return b[spare:]
}

// redundant tells whether packets of a payload type are RED, as those that copy the flow know it.
func (f *flow) redundant(pt uint8) bool {
	switch {
	case len(f.taps) > 0:
		return f.taps[0].codecs.of(pt).kind == kindRED
	case len(f.voices) > 0:
		return f.voices[0].codecs.of(pt).kind == kindRED
	}
	return false
}
