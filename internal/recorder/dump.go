package recorder

import (
	"bufio"
	"encoding/binary"
	"net/netip"
	"os"
	"time"
)

// dump writes the datagrams of one stream as a packet capture (pcap), each
// under the IP and UDP headers that it had, or would have had. The older rtpdump format of
// rtptools says no more, and Wireshark reads it only since version 4.2.
type dump struct {
	f     *os.File
	w     *bufio.Writer
	start time.Time
	buf   []byte
	err   error
}

const (
	pcapMagic  = 0xa1b2c3d4 // microseconds
	linkRaw    = 101        // the packet begins with its IP header
	pcapSnap   = 1 << 18
	protoUDP   = 17
	headerIPv4 = 20
	headerIPv6 = 40
	headerUDP  = 8
)

func createDump(path string, start time.Time) (*dump, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	d := &dump{f: f, w: bufio.NewWriterSize(f, 16<<10), start: start}
	le := binary.LittleEndian
	h := le.AppendUint32(nil, pcapMagic)
	h = le.AppendUint16(h, 2)
	h = le.AppendUint16(h, 4)
	h = append(h, make([]byte, 8)...)
	h = le.AppendUint32(h, pcapSnap)
	h = le.AppendUint32(h, linkRaw)
	_, d.err = d.w.Write(h)
	return d, nil
}

// write appends one datagram that arrived at the given time after the start.
func (d *dump) write(b []byte, from, to netip.AddrPort, at time.Duration) error {
	if d.err != nil {
		return d.err
	}
	d.buf = appendUDP(d.buf[:0], b, from, to)
	when := d.start.Add(at)
	le := binary.LittleEndian
	var h [16]byte
	le.PutUint32(h[0:], uint32(when.Unix()))
	le.PutUint32(h[4:], uint32(when.Nanosecond()/1000))
	le.PutUint32(h[8:], uint32(len(d.buf)))
	le.PutUint32(h[12:], uint32(len(d.buf)))
	d.w.Write(h[:])
	_, d.err = d.w.Write(d.buf)
	return d.err
}

func (d *dump) close() error {
	if err := d.w.Flush(); d.err == nil {
		d.err = err
	}
	if err := d.f.Close(); d.err == nil {
		d.err = err
	}
	return d.err
}

// appendUDP writes payload with its headers (RFC 791, RFC 8200, RFC 768).
func appendUDP(b, payload []byte, from, to netip.AddrPort) []byte {
	src, dst := from.Addr().Unmap(), to.Addr().Unmap()
	be := binary.BigEndian
	size := headerUDP + len(payload)
	if src.Is4() && dst.Is4() {
		size = min(size, 0xffff-headerIPv4)
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(headerIPv4+size))
		b = append(b, 0, 0, 0x40, 0, 64, protoUDP, 0, 0)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		be.PutUint16(b[10:], ^sum(0, b))
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
	if head == headerIPv6 {
		addresses = b[8:head]
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
