package pcap_test

import (
	"testing"

	"sidetrack/internal/pcap"
)

// Whatever a capture holds, reading it ends, and gives no empty message.
func FuzzRead(f *testing.F) {
	c := newCapture()
	c.segment(1, options(1))
	c.segment(1000, options(2))
	c.segment(900, options(3))
	f.Add(c.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = pcap.Read(b, func(string) bool { return true }, func(m pcap.Message) { // damage ends the reading, no more
			if len(m.Data) == 0 && m.Proto == "tcp" {
				t.Error("a message of nothing")
			}
		})
	})
}
