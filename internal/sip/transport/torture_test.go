package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// onTCP says which messages mean something else where Content-Length counts.
var onTCP = map[string]string{
	"dblreq.dat":  "REGISTER INVITE", // what follows a datagram's message is nothing, here it is the next one
	"clerr.dat":   "",                // it goes on
	"baddn.dat":   "",                // its header does not end
	"inv2543.dat": "400",             // it has no Content-Length
}

// Each message of RFC 4475 and RFC 5118 has the same verdict over UDP, over TCP, and octet by octet over TCP: the one
// that the parser's own tests list.
func TestTortureOnTheWire(t *testing.T) {
	files, err := filepath.Glob("../testdata/torture/*/*.dat")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := verdictOf(raw)
			if got := overUDP(t, raw); got != want {
				t.Errorf("over UDP %q, want %q", got, want)
			}
			if other, ok := onTCP[name]; ok {
				want = other
			}
			for _, step := range []int{len(raw), 1} {
				if got := overTCP(t, raw, step); got != want {
					t.Errorf("over TCP by %d octets %q, want %q", step, got, want)
				}
			}
		})
	}
}

// verdictOf is what the parser says: the method or status of a message, or what it is answered.
func verdictOf(raw []byte) string {
	m, err := sip.Parse(raw)
	var refusal *sip.ParseError
	switch {
	case err == nil:
		return meaning(m)
	case errors.As(err, &refusal) && refusal.Status != 0 && refusal.Msg.Method != "ACK":
		return fmt.Sprint(refusal.Status)
	}
	return ""
}

func meaning(m *sip.Message) string {
	if m.IsRequest() {
		return m.Method
	}
	return fmt.Sprint("response ", m.Status)
}

// watched is a rig and the statuses that it answers without a transaction.
func watched(t *testing.T) (r *rig, answered func() []string) {
	var mu sync.Mutex
	var all []string
	r = newRig(t, transport.Config{})
	r.Watch(transport.Events{Stateless: func(_ string, status int) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, fmt.Sprint(status))
	}})
	return r, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func overUDP(t *testing.T, raw []byte) string {
	r, answered := watched(t)
	c := dialled(t, r.listen("udp://127.0.0.1:0"))
	var seen []string
	for _, datagram := range [][]byte{raw, []byte(request("last", via, ""))} {
		if _, err := c.Write(datagram); err != nil {
			t.Fatal(err)
		}
	}
	for m := r.next(); m.Msg.CallID() != "last"; m = r.next() {
		seen = append(seen, meaning(m.Msg))
	}
	return strings.Join(append(seen, answered()...), " ")
}

func overTCP(t *testing.T, raw []byte, step int) string {
	r, answered := watched(t)
	c := dialled(t, r.listen("tcp://127.0.0.1:0")).(*net.TCPConn)
	for rest := raw; len(rest) > 0; rest = rest[min(step, len(rest)):] {
		if _, err := c.Write(rest[:min(step, len(rest))]); err != nil {
			break // it has heard enough
		}
	}
	_ = c.CloseWrite()
	_, _ = io.Copy(io.Discard, c) // until it has read all
	var seen []string
	for len(r.in) > 0 {
		seen = append(seen, meaning((<-r.in).Msg))
	}
	return strings.Join(append(seen, answered()...), " ")
}
