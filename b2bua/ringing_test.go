package b2bua_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// A call that rings for long goes on as long as the far side says so or plays early media; the caller is told again and
// again that it rings. When both fall silent it is given up (Timer C).
func TestLongRinging(t *testing.T) {
	s := newStage(t, setup{rings: 20 * time.Millisecond, timerC: time.Second})
	c := s.invite()
	c.in.Reply(183, peer.WithSDP(c.sdpB(1)))
	early := c.out.Expect(183)
	c.b.Talk(peer.ParseSDP(c.in.SDP()).Media[0].Addr())
	for range 150 { // three times Timer C
		if m := c.out.Next(peer.Patience); m == nil || m.Status() != 183 {
			t.Fatalf("the caller got %v", m)
		}
	}
	if got := c.in.Peer.Unexpected(); len(got) > 0 {
		t.Errorf("the PBX got %q while it played", got)
	}
	c.b.Quiet()
	cancel := c.in.ExpectOther("CANCEL")
	cancel.Reply(200)
	c.in.Reply(487)
	c.in.ExpectOther("ACK")
	for {
		if m := c.out.Next(peer.Patience); m == nil || m.Status() >= 200 {
			if m == nil || m.Status() != 408 {
				t.Errorf("the caller got %v", m)
			}
			break
		} else if string(m.Body) != string(early.Body) {
			t.Errorf("repeated as\n%s", m.Raw)
		}
	}
}

// A route may say how long a target rings: the next is asked then, and the caller told when none is left.
func TestNoAnswer(t *testing.T) {
	s := oneRoute(t, func(_ *stage, r *policy.Route) { r.NoAnswer = 500 * time.Millisecond })
	c := s.invite()
	c.in.Reply(180)
	c.out.Expect(180)
	rung := []*peer.Incoming{c.in, s.second.Expect("INVITE")}
	rung[1].Reply(180)
	c.out.Expect(180)
	for _, in := range rung {
		cancel := in.ExpectOther("CANCEL")
		if !strings.Contains(cancel.Get("Reason"), "cause=408") {
			t.Errorf("CANCEL with Reason %q", cancel.Get("Reason"))
		}
		cancel.Reply(200)
		in.Reply(487)
		in.ExpectOther("ACK")
	}
	c.out.Expect(408)
	s.quiet()
}

// Rung together, they have the time together.
func TestNoAnswerOfAll(t *testing.T) {
	s, c, in := ringing(t, "", func(r *policy.Route) { r.NoAnswer = 500 * time.Millisecond })
	for _, i := range in {
		i.Reply(180)
		c.out.Expect(180)
	}
	cancelled(in[:])
	c.out.Expect(408)
	s.quiet()
}
