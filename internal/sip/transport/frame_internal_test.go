package transport

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzFramer checks that how a stream is cut into segments does not matter.
func FuzzFramer(f *testing.F) {
	msg := "BYE sip:x SIP/2.0\r\nl : 3\r\n\r\nabc"
	f.Add([]byte(msg+msg), 1)
	f.Add([]byte("\r\n\r\n"+msg+"\r\n"), 3)
	f.Add([]byte("X\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\n"), 2)
	f.Add([]byte("X\r\nContent-Length: 4294967296\r\n\r\n"), 7)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		if step < 1 || step > readChunk {
			step = 1
		}
		whole, wholeErr := cut(stream, readChunk)
		parts, partsErr := cut(stream, step)
		if (wholeErr == nil) != (partsErr == nil) || !bytes.Equal(bytes.Join(whole, nil), bytes.Join(parts, nil)) || len(whole) != len(parts) {
			t.Errorf("in one: %q %v; by %d: %q %v", whole, wholeErr, step, parts, partsErr)
		}
	})
}

// Each message of RFC 4475 and RFC 5118 is framed alike wherever it is cut in two.
func TestTortureCutAnywhere(t *testing.T) {
	files, err := filepath.Glob("../testdata/torture/*/*.dat")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole, wholeErr := cut(stream, readChunk)
		for i := 1; i < len(stream); i++ {
			var f framer
			parts, partsErr := f.feed(stream[:i])
			if partsErr == nil {
				var rest [][]byte
				rest, partsErr = f.feed(stream[i:])
				parts = append(parts, rest...)
			}
			if (wholeErr == nil) != (partsErr == nil) || len(whole) != len(parts) || !bytes.Equal(bytes.Join(whole, nil), bytes.Join(parts, nil)) {
				t.Errorf("%s cut at %d: %q %v, whole: %q %v", file, i, parts, partsErr, whole, wholeErr)
			}
		}
	}
}

func cut(stream []byte, step int) (msgs [][]byte, err error) {
	var f framer
	for len(stream) > 0 && err == nil {
		n := min(step, len(stream))
		var more [][]byte
		more, err = f.feed(stream[:n])
		msgs, stream = append(msgs, more...), stream[n:]
	}
	return msgs, err
}

// feed gives the framer what one or more reads got, and returns the messages that are whole then.
func (f *framer) feed(b []byte) (msgs [][]byte, err error) {
	for len(b) > 0 {
		n := copy(f.room(), b)
		f.filled(n)
		b = b[n:]
		for {
			msg, _, err := f.next()
			if err != nil {
				return msgs, err
			}
			if msg == nil {
				break
			}
			msgs = append(msgs, msg)
		}
	}
	return msgs, nil
}

func FuzzStampVia(f *testing.F) {
	f.Add("SIP/2.0/UDP a;branch=z9hG4bKx;rport, SIP/2.0/UDP b")
	f.Add(`SIP/2.0/UDP a;x="q,;\"";received=1.2.3.4`)
	f.Add("")
	remote := netip.MustParseAddrPort("192.0.2.1:5060")
	f.Fuzz(func(t *testing.T, line string) {
		got := stampVia(line, remote, true)
		if n := strings.Count(got, ";received=192.0.2.1;rport=5060"); n < 1 {
			t.Errorf("%q gave %q", line, got)
		}
	})
}

func TestStampViaDropsForgedValues(t *testing.T) {
	got := stampVia("SIP/2.0/UDP h:1 ; branch=b ;RECEIVED=9.9.9.9;rport=7;ttl=1,SIP/2.0/UDP i", netip.MustParseAddrPort("[2001:db8::1]:9"), true)
	if want := "SIP/2.0/UDP h:1;branch=b;ttl=1;received=2001:db8::1;rport=9,SIP/2.0/UDP i"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkDeliver(b *testing.B) {
	layer := New(Config{})
	defer layer.Close()
	raw := []byte("OPTIONS sip:x@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;rport\r\n" +
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:x@example.com>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
	f := Flow{Proto: "udp", Remote: netip.MustParseAddrPort("192.0.2.1:5060")}
	b.ReportAllocs()
	for b.Loop() {
		layer.deliver(f, raw, false)
	}
}

// A double CRLF asks for a pong, before, between and behind messages, wherever the stream is cut. A single one does not, nor
// do the line ends within a message.
func TestPingsCutAnywhere(t *testing.T) {
	const ping, msg = "\r\n\r\n", "INFO sip:x SIP/2.0\r\nl: 8\r\n\r\n\r\n\r\nabcd"
	for _, tc := range []struct {
		stream      string
		pings, msgs int
	}{
		{ping + msg + ping + msg + msg + ping, 3, 3},
		{msg + "\r\n" + msg + ping + msg + "\r\n" + msg, 1, 4},
		{"\r\n" + msg + "\r\n", 0, 1},
		{msg + "\r\n" + ping + msg, 1, 2},
	} {
		for first := range len(tc.stream) {
			for second := first; second < len(tc.stream); second++ {
				var f framer
				pings, msgs := 0, 0
				for _, part := range []string{tc.stream[:first], tc.stream[first:second], tc.stream[second:]} {
					f.filled(copy(f.room(), part))
					for whole := true; whole; {
						m, ping, err := f.next()
						if err != nil {
							t.Fatalf("%q cut at %d and %d: %v", tc.stream, first, second, err)
						}
						if ping {
							pings++
						}
						if whole = m != nil; whole {
							msgs++
						}
					}
				}
				if pings != tc.pings || msgs != tc.msgs {
					t.Fatalf("%q cut at %d and %d: %d pings and %d messages, want %d and %d", tc.stream, first, second, pings, msgs, tc.pings, tc.msgs)
				}
			}
		}
	}
}
