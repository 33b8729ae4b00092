package b2bua_test

import (
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// A CANCEL of a re-INVITE ends that request only: the callee hears it, and what it says to the INVITE passes.
func TestCancelOfAReinvite(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
	in := c.right.Expect("INVITE")
	in.Reply(100)
	out.Cancel(peer.With("Reason", "SIP;cause=200"), peer.With("Session-ID", "x")).Expect(200)
	cancel := in.ExpectOther("CANCEL")
	if cancel.Get("Reason") != "SIP;cause=200" || cancel.Get("Session-ID") != "x" {
		t.Errorf("CANCEL came as %q", cancel.Raw)
	}
	cancel.Reply(200)
	in.Reply(487)
	in.ExpectOther("ACK")
	out.Expect(487)
	// The dialog takes the next offer as if nothing had been.
	again := c.left.Send("INVITE", peer.WithSDP(c.sdpA(3)))
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(3)))
	c.left.Ack(again.Expect(200))
	c.right.Expect("ACK")
	c.hangUp()
	s.quiet()
}

// The callee accepts a re-INVITE whose CANCEL is under way: both parties have the new session, and the call lives.
func TestCancelOfAReinviteCrossesIts200(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
	in := c.right.Expect("INVITE")
	in.Reply(100)
	out.Cancel().Expect(200)
	in.ExpectOther("CANCEL").Reply(200)
	in.Reply(200, peer.WithSDP(c.sdpB(2)))
	c.left.Ack(out.Expect(200))
	in.ExpectOther("ACK")
	c.hangUp()
	s.quiet()
}

// CANCEL of a re-INVITE before its far side is known: nothing of it leaves, and the dialog is free again.
func TestCancelOfAReinviteDuringDNS(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	// localhost is looked up by a worker the first time.
	c.answer(peer.With("Contact", "<sip:pbx@localhost:"+portOf(s.pbx)+">"))
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
	out.Cancel().Expect(200)
	if in := s.pbx.Maybe("INVITE", 100*time.Millisecond); in != nil { // the lookup was faster
		in.Reply(100)
		in.ExpectOther("CANCEL").Reply(200)
		in.Reply(487)
		in.ExpectOther("ACK")
	}
	out.Expect(487)
	again := c.left.Send("INVITE", peer.WithSDP(c.sdpA(3)))
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(3)))
	c.left.Ack(again.Expect(200))
	c.right.Expect("ACK")
	c.hangUp()
}

// CANCEL while the route's name is looked up: 487, and the callee hears nothing.
func TestCancelDuringDNS(t *testing.T) {
	s := newStage(t, setup{routes: func(s *stage) []string { return []string{"sip:nowhere.invalid:5060", s.pbx.URI("")} }})
	c := s.send()
	c.out.Cancel().Expect(200)
	if in := s.pbx.Maybe("INVITE", 200*time.Millisecond); in != nil { // the lookup had failed already
		in.Reply(100)
		in.ExpectOther("CANCEL").Reply(200)
		in.Reply(487)
		in.ExpectOther("ACK")
	}
	c.out.Expect(487)
	s.quiet()
}

// A callee that says nothing more after the CANCEL holds the call for 64*T1 and no longer.
func TestSilenceAfterCancel(t *testing.T) {
	for _, ringing := range []bool{false, true} {
		s := newStage(t, setup{t1: 20 * time.Millisecond})
		c := s.invite()
		if ringing {
			c.in.Reply(180)
			c.out.Expect(180)
		}
		c.out.Cancel().Expect(200)
		c.out.Expect(487)
	}
}

// CANCEL between two targets: the first has failed, the second is being asked.
func TestCancelWhileHunting(t *testing.T) {
	s := newStage(t, setup{hunting: true})
	c := s.invite()
	c.in.Reply(503)
	c.in.ExpectOther("ACK")
	in := s.second.Expect("INVITE")
	c.out.Cancel().Expect(200)
	c.out.Expect(487)
	in.Reply(180)
	in.ExpectOther("CANCEL").Reply(200)
	in.Reply(487)
	in.ExpectOther("ACK")
	s.quiet()
}
