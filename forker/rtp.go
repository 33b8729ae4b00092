package forker

import "encoding/binary"

// rtpHeaderSize is the fixed part of an RTP header (RFC 3550 §5.1).
const rtpHeaderSize = 12

// header is what the relay needs of an RTP packet.
type header struct {
	pt      uint8
	marker  bool
	seq     uint16
	ts      uint32
	ssrc    uint32
	payload int // octets of payload, without header, extension and padding

	extension bool // the packet has one
}

// readHeader reads an RTP packet (RFC 3550 §5.1). ok is false when b is none:
// wrong version, an RTCP packet type (RFC 5761 §4), or lengths of CSRC list,
// header extension or padding that b cannot hold. b is not kept.
func readHeader(b []byte) (h header, ok bool) {
	if h, ok = readSealed(b); !ok {
		return h, false
	}
	if b[0]&0x20 != 0 && h.payload > 0 {
		pad := int(b[len(b)-1])
		if pad == 0 {
			return h, false
		}
		h.payload -= pad
	}
	return h, h.payload >= 0
}

// readSealed is readHeader for SRTP, whose header is clear and whose padding is
// not (RFC 3711 §3.1): the payload is as long as the padding and the tag make it.
func readSealed(b []byte) (h header, ok bool) {
	if len(b) < rtpHeaderSize || b[0]>>6 != 2 || rtcpType(b[1]) {
		return h, false
	}
	size := rtpHeaderSize + 4*int(b[0]&0x0f)
	if h.extension = extended(b); h.extension {
		if len(b) < size+4 {
			return h, false
		}
		size += 4 + 4*int(binary.BigEndian.Uint16(b[size+2:]))
	}
	if h.payload = len(b) - size; h.payload < 0 {
		return h, false
	}
	h.pt, h.marker = b[1]&0x7f, b[1]&0x80 != 0
	h.seq = binary.BigEndian.Uint16(b[2:])
	h.ts = binary.BigEndian.Uint32(b[4:])
	h.ssrc = binary.BigEndian.Uint32(b[8:])
	return h, true
}

// writeHeader overwrites payload type, sequence number, timestamp and SSRC of
// the RTP packet b in place. Everything else, the marker included, stays.
func writeHeader(b []byte, pt uint8, seq uint16, ts, ssrc uint32) {
	b[1] = b[1]&0x80 | pt&0x7f
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
}

// extended tells whether the RTP packet b has a header extension.
func extended(b []byte) bool { return b[0]&0x10 != 0 }

// withoutExtension takes the header extension out of the RTP packet b, whose header
// has been read: it moves what stands before it up to the payload, in place. An
// identifier in it means something only to who has been told so by a=extmap (RFC 8285 §5):
// to a recorder only what was agreed with it (extension.go).
func withoutExtension(b []byte) []byte {
	if !extended(b) {
		return b
	}
	fixed := rtpHeaderSize + 4*int(b[0]&0x0f)
	b[0] &^= 0x10
	size := 4 + 4*int(binary.BigEndian.Uint16(b[fixed+2:]))
	copy(b[size:], b[:fixed])
	return b[size:]
}

// rtcpType tells RTCP packet types from RTP's marker and payload type on a
// shared port (RFC 5761 §4).
func rtcpType(second byte) bool { return second >= 192 && second <= 223 }

// isRTCP tells whether b looks like RTCP, reduced-size (RFC 5506) included.
func isRTCP(b []byte) bool {
	return len(b) >= 4 && b[0]>>6 == 2 && rtcpType(b[1])
}
