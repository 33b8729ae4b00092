package pcap

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"
)

const (
	magic      = 0xa1b2c3d4 // microseconds
	linkRaw    = 101        // the packet begins with its IP header
	snap       = 1 << 18
	protoUDP   = 17
	headerIPv4 = 20
	headerIPv6 = 40
	headerUDP  = 8

	// MaxOverhead is what a datagram needs in a capture beyond its payload, at most.
	MaxOverhead = 16 + headerIPv6 + headerUDP
)

// Writer writes one capture. The first error stays, and ends it.
type Writer struct {
	w   io.Writer
	buf []byte
	err error
}

// NewWriter begins a capture on w.
func NewWriter(w io.Writer) *Writer {
	le := binary.LittleEndian
	h := le.AppendUint32(nil, magic)
	h = le.AppendUint16(h, 2)
	h = le.AppendUint16(h, 4)
	h = append(h, make([]byte, 8)...)
	h = le.AppendUint32(h, snap)
	h = le.AppendUint32(h, linkRaw)
	out := &Writer{w: w}
	_, out.err = w.Write(h)
	return out
}

// Write adds a datagram. A payload that no datagram holds is cut.
func (w *Writer) Write(at time.Time, from, to netip.AddrPort, payload []byte) error {
	if w.err != nil {
		return w.err
	}
	const head = 16
	w.buf = appendUDP(append(w.buf[:0], make([]byte, head)...), payload, from, to)
	le := binary.LittleEndian
	size := uint32(len(w.buf) - head)
	le.PutUint32(w.buf[0:], uint32(at.Unix()))
	le.PutUint32(w.buf[4:], uint32(at.Nanosecond()/1000))
	le.PutUint32(w.buf[8:], size)
	le.PutUint32(w.buf[12:], size)
	_, w.err = w.w.Write(w.buf)
	return w.err
}

// appendUDP writes payload with its headers (RFC 791, RFC 8200, RFC 768).
// They follow what b holds.
func appendUDP(b, payload []byte, from, to netip.AddrPort) []byte {
	begin := len(b)
	src, dst := from.Addr().Unmap(), to.Addr().Unmap()
	be := binary.BigEndian
	size := headerUDP + len(payload)
	if src.Is4() && dst.Is4() {
		size = min(size, 0xffff-headerIPv4)
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(headerIPv4+size))
		b = append(b, 0, 0, 0x40, 0, 64, protoUDP, 0, 0)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		be.PutUint16(b[begin+10:], ^sum(0, b[begin:]))
	} else {
		size = min(size, 0xffff)
		b = append(b, 0x60, 0, 0, 0)
		b = be.AppendUint16(b, uint16(size))
		s, d := src.As16(), dst.As16()
		b = append(b, protoUDP, 64)
		b = append(append(b, s[:]...), d[:]...)
	}
	head := len(b)
	b = be.AppendUint16(b, from.Port())
	b = be.AppendUint16(b, to.Port())
	b = be.AppendUint16(b, uint16(size))
	b = append(b, 0, 0)
	b = append(b, payload[:size-headerUDP]...)
	// The pseudo header: addresses, protocol, length.
	addresses := b[head-8 : head]
	if head-begin == headerIPv6 {
		addresses = b[begin+8 : head]
	}
	check := ^sum(uint32(protoUDP+size)+uint32(sum(0, addresses)), b[head:])
	if check == 0 {
		check = 0xffff
	}
	be.PutUint16(b[head+6:], check)
	return b
}

// sum is the Internet checksum's sum, not yet complemented (RFC 1071).
func sum(s uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
