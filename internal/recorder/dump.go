package recorder

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// dump writes an rtpdump file, the format of rtptools' "rtpdump -F dump", which
// Wireshark and rtpplay read: a line of text, a header, then each datagram with its
// length and its time in milliseconds since the start.
type dump struct {
	f   *os.File
	w   *bufio.Writer
	err error
}

func createDump(path string, start time.Time, local netip.AddrPort) (*dump, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	d := &dump{f: f, w: bufio.NewWriterSize(f, 16<<10)}
	addr := local.Addr().Unmap()
	var source [4]byte
	if addr.Is4() {
		source = addr.As4()
	}
	fmt.Fprintf(d.w, "#!rtpplay1.0 %s/%d\n", addr, local.Port())
	var h [16]byte
	binary.BigEndian.PutUint32(h[0:], uint32(start.Unix()))
	binary.BigEndian.PutUint32(h[4:], uint32(start.Nanosecond()/1000))
	copy(h[8:12], source[:])
	binary.BigEndian.PutUint16(h[12:], local.Port())
	_, d.err = d.w.Write(h[:])
	return d, nil
}

// write appends one RTP datagram that arrived at the given time after the start.
func (d *dump) write(b []byte, at time.Duration) error {
	if d.err != nil {
		return d.err
	}
	var h [8]byte
	n := min(len(b), 0xffff-len(h))
	binary.BigEndian.PutUint16(h[0:], uint16(n+len(h)))
	binary.BigEndian.PutUint16(h[2:], uint16(n))
	binary.BigEndian.PutUint32(h[4:], uint32(at/time.Millisecond))
	d.w.Write(h[:])
	_, d.err = d.w.Write(b[:n])
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
