package recorder

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"sidetrack/internal/pcap"
)

const (
	dumpBuffer = 16 << 10    // bytes that are kept before they are written,
	dumpFlush  = time.Second // and for how long, told by later packets
)

// dump writes the datagrams of one stream as a packet capture (pcap), each
// under the IP and UDP headers that it had, or would have had. The older rtpdump format of
// rtptools says no more, and Wireshark reads it only since version 4.2.
type dump struct {
	file  *file
	buf   bytes.Buffer // whole packets
	out   *pcap.Writer
	start time.Time
	last  time.Duration // when buf was emptied
}

func newDump(f *file, start time.Time) *dump {
	d := &dump{file: f, start: start}
	d.out = pcap.NewWriter(&d.buf)
	f.head = slices.Clone(d.buf.Bytes())
	d.buf.Reset()
	return d
}

// write appends one datagram that arrived at the given time after the start.
func (d *dump) write(b []byte, from, to netip.AddrPort, at time.Duration) error {
	err := d.out.Write(d.start.Add(at), from, to, b)
	if d.buf.Len() >= dumpBuffer || at-d.last >= dumpFlush {
		d.last = at
		d.flush()
	}
	return err
}

func (d *dump) flush() {
	if d.buf.Len() > 0 {
		d.file.append(d.buf.Bytes())
		d.buf.Reset()
	}
}

func (d *dump) close() {
	d.flush()
	d.file.seal()
	d.file.Close() // tells no error
}
