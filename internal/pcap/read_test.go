package pcap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/pcap"
)

// capture makes one of TCP segments of one connection: sequence number, flags, content.
type capture struct{ bytes.Buffer }

func newCapture() *capture {
	c := &capture{}
	c.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0})
	return c
}

func (c *capture) segment(seq uint32, content string) {
	be := binary.BigEndian
	ip := append([]byte{0x45, 0}, be.AppendUint16(nil, uint16(40+len(content)))...)
	ip = append(ip, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	ip = be.AppendUint32(append(ip, 0x13, 0xc4, 0x13, 0xc4), seq)
	ip = append(append(ip, 0, 0, 0, 0, 0x50, 16, 0, 0, 0, 0, 0, 0), content...)
	head := binary.LittleEndian.AppendUint32(make([]byte, 8), uint32(len(ip)))
	c.Write(append(append(head, head[8:12]...), ip...))
}

func options(n int) string {
	return fmt.Sprintf("OPTIONS sip:%d@b SIP/2.0\r\nCSeq: %d OPTIONS\r\nContent-Length: 6\r\n\r\nhello\n", n, n)
}

func read(t *testing.T, b []byte) (lines []string) {
	t.Helper()
	if err := pcap.Read(b, func(string) bool { return true }, func(m pcap.Message) {
		line, _, _ := strings.Cut(string(m.Data), "\r\n")
		lines = append(lines, line)
	}); err != nil {
		t.Fatal(err)
	}
	return lines
}

// A capture that begins within a message, and that has lost segments, costs those messages and no others.
func TestCaptureWithHoles(t *testing.T) {
	for _, seq := range []uint32{100, 1<<32 - 700} { // and across the end of the numbers
		c := newCapture()
		var want []string
		send := func(text string) {
			c.segment(seq, text)
			seq += uint32(len(text))
		}
		send("of a body\r\n" + options(0)[60:])
		for n := 1; n < 200; n++ {
			text := options(n)
			if n == 20 || n == 100 || n == 198 { // lost, in whole or in its first half
				seq += uint32(len(text) / 2)
				if text = text[len(text)/2:]; n == 100 {
					seq += uint32(len(text))
					continue
				}
			} else {
				want = append(want, fmt.Sprintf("OPTIONS sip:%d@b SIP/2.0", n))
			}
			send(text)
		}
		if got := read(t, c.Bytes()); !slices.Equal(got, want) {
			t.Errorf("%d messages, want %d: %q", len(got), len(want), got)
		}
	}
}

// What is no SIP on a connection is passed over, whatever it is.
func TestCaptureOfSomethingElse(t *testing.T) {
	c, seq := newCapture(), uint32(1)
	for i := range 200 {
		noise := strings.Repeat(string([]byte{byte(i), 0x80, byte(i >> 3)}), 400)
		c.segment(seq, noise)
		seq += uint32(len(noise))
	}
	c.segment(seq, "\r\n"+options(7))
	if got := read(t, c.Bytes()); len(got) != 1 || got[0] != "OPTIONS sip:7@b SIP/2.0" {
		t.Errorf("%q", got)
	}
}
