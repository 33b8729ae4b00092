package recorder

import (
	"encoding/binary"
	"time"
)

// packet is one RTP datagram (RFC 3550 §5.1). It aliases the datagram.
type packet struct {
	raw      []byte
	from, to int // where the payload stands in raw
	pt       uint8
	marker   bool
	seq      uint16
	ts, ssrc uint32
	at       time.Duration // arrival on the session's clock
}

func (p *packet) payload() []byte { return p.raw[p.from:p.to] }

// own gives the packet bytes of its own, for one that waits.
func (p packet) own() packet {
	p.raw = append([]byte(nil), p.raw...)
	return p
}

// parseRTP reads the header; false when the datagram is no RTP packet.
func parseRTP(b []byte, at time.Duration) (packet, bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return packet{}, false
	}
	p := packet{
		raw: b, at: at, from: 12 + 4*int(b[0]&0x0f), to: len(b), pt: b[1] & 0x7f, marker: b[1]&0x80 != 0,
		seq: binary.BigEndian.Uint16(b[2:]), ts: binary.BigEndian.Uint32(b[4:]), ssrc: binary.BigEndian.Uint32(b[8:]),
	}
	if b[0]&0x10 != 0 { // extension
		if len(b) < p.from+4 {
			return packet{}, false
		}
		p.from += 4 + 4*int(binary.BigEndian.Uint16(b[p.from+2:]))
	}
	if b[0]&0x20 != 0 { // padding, its length in the last byte
		if b[len(b)-1] == 0 {
			return packet{}, false
		}
		p.to -= int(b[len(b)-1])
	}
	return p, p.from <= p.to
}

// isRTCP tells RTCP from RTP on one port by the second byte (RFC 5761 §4).
func isRTCP(b []byte) bool {
	return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223
}
