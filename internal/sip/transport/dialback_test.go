package transport_test

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

// dialBack asks for connections and returns what became of them, in any order, as it becomes known.
func dialBack(r *rig, flows ...transport.Flow) chan dialResult {
	done := make(chan dialResult, len(flows))
	for _, f := range flows {
		r.DialBack(f, func(f transport.Flow, err error) { done <- dialResult{f, err} })
	}
	return done
}

func awaitBusy(t *testing.T, done chan dialResult, n int) {
	t.Helper()
	for i := range n {
		select {
		case res := <-done:
			if !errors.Is(res.err, transport.ErrBusy) {
				t.Fatalf("to %v: %v, want ErrBusy", res.flow.Remote, res.err)
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d attempts are refused", i, n)
		}
	}
}

// Whoever has his answers sent to where nobody answers has a few sockets of us, however many ports he names; others have
// theirs, up to a number in all. Equal attempts are one.
func TestDialingBackIsBounded(t *testing.T) {
	r := newRig(t, transport.Config{DialTimeout: time.Hour})
	mute := func(source, names int) (flows []transport.Flow) { // TLS handshakes never end there
		nl, err := net.Listen("tcp4", fmt.Sprintf("127.0.7.%d:0", source))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nl.Close() })
		for i := range names {
			flows = append(flows, transport.Flow{Proto: "tls", Remote: addrPort(nl.Addr()), Server: fmt.Sprint(i)})
		}
		return flows
	}
	one := mute(1, 1000)
	awaitBusy(t, dialBack(r, one...), 1000-8)
	r.awaitRejected("conn-limit", 1000-8)
	same := dialBack(r, one[0], one[0], one[0])
	var others []transport.Flow
	for i := range 32 {
		others = append(others, mute(2+i, 8)...)
	}
	awaitBusy(t, dialBack(r, others...), 8)
	ours := make(chan dialResult, 1) // what we want ourselves is not refused
	r.Dial(one[0], 0, func(f transport.Flow, err error) { ours <- dialResult{f, err} })
	r.Close()
	for range 3 {
		if res := <-same; res.err == nil || errors.Is(res.err, transport.ErrBusy) {
			t.Errorf("one that joins an attempt: %v", res.err)
		}
	}
	if res := <-ours; res.err == nil || errors.Is(res.err, transport.ErrBusy) {
		t.Errorf("our own: %v", res.err)
	}
}

// A connection that was made back to its peer is one of those that the peer may have, and the place is free again when
// it ends.
func TestConnectionsBackCountToTheLimits(t *testing.T) {
	r := newRig(t, transport.Config{Limits: transport.Limits{PerSource: 2}})
	l := r.listen("tcp://127.0.0.1:0")
	back := func() (net.Listener, transport.Flow, error) {
		nl := peer(t)
		res := <-dialBack(r, transport.Flow{Proto: "tcp", Listener: l, Remote: addrPort(nl.Addr())})
		return nl, res.flow, res.err
	}
	nl, first, err := back()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := back(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := back(); err == nil {
		t.Error("a third connection is made to who may have two")
	}
	r.awaitRejected("conn-limit", 1)
	third := dialled(t, l)
	if _, err := third.Read(make([]byte, 1)); err == nil {
		t.Error("he makes a third one")
	}
	again := <-dialBack(r, first)
	if again.err != nil || again.flow.Conn != first.Conn {
		t.Errorf("one that is open is not used: %+v", again)
	}
	c, err := nl.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	r.failure()
	if _, _, err := back(); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
