package recorder

import (
	"bufio"
	"net/netip"
	"os"
	"time"

	"sidetrack/internal/pcap"
)

// dump writes the datagrams of one stream as a packet capture (pcap), each
// under the IP and UDP headers that it had, or would have had. The older rtpdump format of
// rtptools says no more, and Wireshark reads it only since version 4.2.
type dump struct {
	f     *os.File
	w     *bufio.Writer
	out   *pcap.Writer
	start time.Time
}

func createDump(path string, start time.Time) (*dump, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 16<<10)
	return &dump{f: f, w: w, out: pcap.NewWriter(w), start: start}, nil
}

// write appends one datagram that arrived at the given time after the start.
func (d *dump) write(b []byte, from, to netip.AddrPort, at time.Duration) error {
	return d.out.Write(d.start.Add(at), from, to, b)
}

func (d *dump) close() error {
	err := d.w.Flush()
	if e := d.f.Close(); err == nil {
		err = e
	}
	return err
}
