package transport_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
)

// A connection of ours on which nothing comes is not found any more once it is retired; what is under way on it goes on
// until it is silent. One that the peer has made, or on which something has come, stays in use.
func TestRetire(t *testing.T) {
	r := newRig(t, transport.Config{IdleTimeout: time.Minute})
	l, nl := r.listen("tcp://127.0.0.1:0"), peer(t)
	to := transport.Flow{Proto: "tcp", Listener: l, Remote: addrPort(nl.Addr())}
	first := dial(r, to, "", 0)
	end, err := nl.Accept()
	if first.err != nil || err != nil {
		t.Fatal(first.err, err)
	}
	defer end.Close()
	found := func(f transport.Flow, want bool, what string) {
		t.Helper()
		anew := f
		anew.Conn = 0
		_, one := r.Find(f)
		_, any := r.Find(anew)
		if one != want || any != want {
			t.Errorf("%s: found by number %t, by address %t", what, one, any)
		}
	}

	caller := dialled(t, l)
	fmt.Fprint(caller, request("in", via, ""))
	in := r.next().Flow
	r.Retire(in, 0)
	found(in, true, "the peer's own")

	fmt.Fprint(end, request("alive", via, ""))
	r.next()
	r.Retire(first.flow, time.Minute)
	found(first.flow, true, "one that lives")

	r.Retire(first.flow, 0)
	found(first.flow, false, "one that is silent")
	if err := r.Send(first.flow, []byte("x")); err != nil { // an answer, say
		t.Error(err)
	}
	fmt.Fprint(end, request("late", via, ""))
	if m := r.next(); m.Flow != first.flow || m.Msg.CallID() != "late" {
		t.Errorf("came %s by %+v", m.Msg.CallID(), m.Flow)
	}
	second := dial(r, to, "", 0)
	if second.err != nil || second.flow.Conn == first.flow.Conn {
		t.Errorf("dialling again: %+v", second)
	}
	end.Close()
	if f := r.failure(); f.Flow != first.flow {
		t.Errorf("failure %+v", f)
	}
	found(second.flow, true, "the one in its place")
}

// A retired connection is closed when it is silent.
func TestRetiredConnectionsEnd(t *testing.T) {
	r := newRig(t, transport.Config{IdleTimeout: 50 * time.Millisecond})
	nl := peer(t)
	res := dial(r, transport.Flow{Proto: "tcp", Remote: addrPort(nl.Addr())}, "", 0)
	end, err := nl.Accept()
	if res.err != nil || err != nil {
		t.Fatal(res.err, err)
	}
	defer end.Close()
	r.Retire(res.flow, 0)
	_ = end.SetDeadline(time.Now().Add(patience))
	if _, err := end.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}
