package src_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// Many calls at once (MANY_CALLS, 40 when not set): each keeps its own copies, and nothing is left of any.
func TestManyCalls(t *testing.T) {
	n := 40
	if text := os.Getenv("MANY_CALLS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.ports = 10 * n })
	calls, sessions := make([]*call, n), make([]*peer.Session, n)
	byID := map[string]*call{}
	for i := range calls {
		calls[i] = r.newCall()
		byID[calls[i].cs.ID] = calls[i]
		calls[i].begin()
	}
	owner := map[*peer.Session]*call{}
	for i := range sessions {
		sessions[i] = rec.Accept()
		for _, v := range r.client.Recordings() {
			if v.SIPCallID == sessions[i].Invite.CallID() {
				owner[sessions[i]] = byID[v.CallID]
			}
		}
	}
	for _, c := range calls {
		c.await(metadata.StateRecording)
		c.talk()
	}
	for s, c := range owner {
		for label, party := range map[string]string{"1": "caller", "2": "callee"} {
			for _, p := range s.Streams[label].AwaitFrom(party, 0, 10) {
				if p.Call != c.cs.ID || p.Party != party {
					t.Fatalf("call %s, label %s: packet of %s %s", c.cs.ID, label, p.Call, p.Party)
				}
			}
		}
	}
	if len(owner) != n {
		t.Fatalf("%d calls found in the views", len(owner))
	}
	for s, c := range owner {
		c.end()
		s.End()
		c.ended(src.Complete)
	}
	if !peer.Eventually(func() bool { return r.media.Ports().Used == 0 }) {
		t.Errorf("ports left: %+v", r.media.Ports())
	}
}

// Without ports for the copies there is a verdict, and the call is none the worse.
func TestNoPorts(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.ports = 6 })
	c := r.newCall()
	c.talk()
	c.begin()
	c.ended(src.Failed)
	c.callee.AwaitFrom("caller", 0, 10)
	if in := rec.Maybe("INVITE", 50*time.Millisecond); in != nil {
		t.Error("INVITE without ports")
	}
	c.end()
}
