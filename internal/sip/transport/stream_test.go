package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
	testpeer "sidetrack/tests/peer"
)

func TestTCPOctetByOctet(t *testing.T) {
	r := newRig(t, transport.Config{})
	c := dialled(t, r.listen("tcp://127.0.0.1:0"))
	stream := request("one", via, "hello") + "\r\n" + request("two", via, "") + request("three", via, "SIP/2.0\r\n\r\nx")
	for i := range len(stream) {
		if _, err := c.Write([]byte(stream[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"one hello", "two ", "three SIP/2.0\r\n\r\nx"} {
		m := r.next()
		if got := m.Msg.CallID() + " " + string(m.Msg.Body); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTCPManyInOneSegment(t *testing.T) {
	r := newRig(t, transport.Config{})
	c := dialled(t, r.listen("tcp://[::1]:0"))
	var all strings.Builder
	for i := range 500 {
		all.WriteString(request(fmt.Sprint(i), via, strings.Repeat("x", i)))
	}
	go io.WriteString(c, all.String())
	for i := range 500 {
		if m := r.next(); m.Msg.CallID() != fmt.Sprint(i) || len(m.Msg.Body) != i {
			t.Fatalf("message %d: %s with %d octets", i, m.Msg.CallID(), len(m.Msg.Body))
		}
	}
}

func TestTCPPong(t *testing.T) {
	r := newRig(t, transport.Config{})
	c := dialled(t, r.listen("tcp://127.0.0.1:0"))
	fmt.Fprint(c, "\r\n") // a pong of the peer: no answer
	fmt.Fprint(c, request("x", via, ""))
	m := r.next()
	fmt.Fprint(c, "\r\n\r\n")
	if got := read(t, c); got != "\r\n" {
		t.Errorf("pong %q", got)
	}
	if err := r.Send(m.Flow, []byte("next")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c); got != "next" {
		t.Errorf("got %q", got)
	}
}

func TestTCPBadFramingIsAnsweredAndCut(t *testing.T) {
	good := request("x", via, "")
	for name, tc := range map[string]struct{ msg, status string }{
		"no length":     {strings.Replace(good, "Content-Length: 0\r\n", "", 1), "400"},
		"bad length":    {strings.Replace(good, "Content-Length: 0", "Content-Length: -1", 1), "400"},
		"two lengths":   {strings.Replace(good, "Content-Length: 0", "Content-Length: 0\r\nl: 5", 1), "400"},
		"giant length":  {strings.Replace(good, "Content-Length: 0", "Content-Length: 99999999", 1), "513"},
		"endless lines": {strings.Repeat("X-Filler: abcdefghijklmnop\r\n", 4000), ""},
	} {
		r := newRig(t, transport.Config{})
		c := dialled(t, r.listen("tcp://127.0.0.1:0"))
		go io.WriteString(c, tc.msg)
		got, err := io.ReadAll(c)
		if tc.status != "" && (err != nil || !strings.HasPrefix(string(got), "SIP/2.0 "+tc.status+" ")) {
			t.Errorf("%s: got %q, %v; want %s and the end", name, got, err, tc.status)
		}
		if f := r.failure(); f.Flow.Conn == 0 {
			t.Errorf("%s: failure %+v", name, f)
		}
	}
}

// Who says what is no SIP over and over is cut off; one that says something sensible in between is not.
func TestJunkEndsAConnection(t *testing.T) {
	r := newRig(t, transport.Config{})
	l := r.listen("tcp://127.0.0.1:0")
	const junk, few = "l:0\r\n\r\n", 15
	mixed := dialled(t, l)
	for i := range 3 {
		fmt.Fprint(mixed, strings.Repeat(junk, few), request(fmt.Sprint(i), via, ""))
		if m := r.next(); m.Msg.CallID() != fmt.Sprint(i) {
			t.Errorf("got %s", m.Msg.CallID())
		}
	}
	bad := dialled(t, l)
	fmt.Fprint(bad, strings.Repeat(junk, few+1))
	if _, err := bad.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
	r.awaitRejected("framing", 1)
	r.awaitRejected("parse", 4*few+1)
	fmt.Fprint(mixed, request("last", via, ""))
	if m := r.next(); m.Msg.CallID() != "last" {
		t.Errorf("got %s", m.Msg.CallID())
	}
}

func TestConnectionCaps(t *testing.T) {
	r := newRig(t, transport.Config{Limits: transport.Limits{PerSource: 2}})
	l := r.listen("tcp://127.0.0.1:0")
	for i := range 2 {
		fmt.Fprint(dialled(t, l), request(fmt.Sprint(i), via, ""))
		r.next()
	}
	third := dialled(t, l)
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("the third connection of one source lives")
	}
	r.awaitRejected("conn-limit", 1)

	// Another source has its own share, until there are too many in all; and what is
	// set anew holds from the next connection on.
	other := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	from2 := func() net.Conn {
		c, err := other.Dial("tcp", l.Bound.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(2 * patience))
		return c
	}
	fmt.Fprint(from2(), request("other", via, ""))
	r.next()
	r.SetLimits(transport.Limits{Conns: 3, PerSource: 10})
	if _, err := from2().Read(make([]byte, 1)); err == nil {
		t.Error("the fourth connection of three lives")
	}
	r.awaitRejected("conn-limit", 2)
	r.SetLimits(transport.Limits{Conns: 4, PerSource: 10})
	fmt.Fprint(dialled(t, l), request("more", via, ""))
	r.next()
}

func TestIdleConnectionsEnd(t *testing.T) {
	r := newRig(t, transport.Config{IdleTimeout: 50 * time.Millisecond})
	l := r.listen("tcp://127.0.0.1:0")
	silent, slow := dialled(t, l), dialled(t, l)
	fmt.Fprint(slow, "OPTIONS sip:x SIP/2.0\r\n")
	for _, c := range []net.Conn{silent, slow} {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the end", err)
		}
	}
	r.awaitRejected("idle", 2)
}

// A drip of octets does not keep a connection for ever.
func TestDripFeedEnds(t *testing.T) {
	r := newRig(t, transport.Config{IdleTimeout: 100 * time.Millisecond})
	c := dialled(t, r.listen("tcp://127.0.0.1:0"))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.Read(make([]byte, 1))
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		select {
		case <-gone:
			return
		case <-tick.C:
			fmt.Fprint(c, "X")
		}
	}
	t.Error("still fed")
}

// A peer that does not read costs its own connection, never the sender's time.
func TestSlowReaderDoesNotBlock(t *testing.T) {
	r := newRig(t, transport.Config{WriteTimeout: time.Second})
	c := dialled(t, r.listen("tcp://127.0.0.1:0"))
	fmt.Fprint(c, request("x", via, ""))
	f := r.next().Flow
	chunk := make([]byte, 60000)
	full := false
	await(t, "the connection to be given up", func() bool {
		watch := testpeer.StartStopwatch(t)
		err := r.Send(f, chunk)
		if took := watch.Took(); took > time.Second {
			t.Fatalf("Send blocked for %v", took)
		}
		full = full || errors.Is(err, transport.ErrQueueFull)
		return errors.Is(err, transport.ErrNoConn)
	})
	if !full {
		t.Error("the queue has no bound")
	}
	if got := r.failure(); got.Flow.Conn != f.Conn {
		t.Errorf("failure %+v", got)
	}
	if err := r.Send(f, chunk); !errors.Is(err, transport.ErrNoConn) {
		t.Errorf("sending on an ended connection: %v", err)
	}
}
