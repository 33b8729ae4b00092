package b2bua_test

import (
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// The other party's proxy is being started anew while we hang up on it: our BYE is repeated until it is back.
func TestByeOutlivesARestart(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity})
		c := s.establish()
		s.pbx.Vanish()
		bye := c.left.Send("BYE")
		bye.Expect(200)
		s.awaitSent("BYE", 1, 2)
		s.pbx.Return(s.proxy)
		c.right.AnswerBye()
		s.quiet()
	}
}

// A late 200 makes a dialog that nobody else ends: its BYE must arrive as well.
func TestByeOfALateAnswerOutlivesARestart(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(180)
	c.out.Expect(180)
	c.out.Cancel().Expect(200)
	c.out.Expect(487)
	c.in.ExpectOther("CANCEL").Reply(200)
	s.pbx.Vanish()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	s.awaitSent("BYE", 1, 2)
	s.pbx.Return(s.proxy)
	c.in.Dialog().AnswerBye()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	s.pbx.Expect("ACK")
	s.quiet()
}

// The other party's proxy is being started anew just when the session is to be refreshed, for longer than a request is
// repeated. Nothing is lost: the call stands, and its session is refreshed when the proxy is back.
func TestRefreshOutlivesARestart(t *testing.T) {
	s := newStage(t, setup{session: 600, timerB: 1500 * time.Millisecond})
	c := s.establish()
	s.pbx.Vanish()
	toA := c.left.Expect("UPDATE")
	toA.Reply(200)
	s.awaitSent("INVITE", 3, 1) // that of the call, and two that refresh it
	s.pbx.Return(s.proxy)
	if !peer.Eventually(func() bool { // an answer that comes too late is followed by another refresh
		if in := c.right.Maybe("INVITE", 20*time.Millisecond); in != nil {
			in.Reply(200, peer.WithSDP(c.sdpB(1)))
		}
		return c.right.Maybe("ACK", 20*time.Millisecond) != nil
	}) {
		t.Fatal("no refresh is acknowledged")
	}
	c.hangUp()
	s.quiet()
}

// A fault of ours costs a request within a call its answer by the other side; who sent it is told, and the call goes on.
func TestFaultWithinACall(t *testing.T) {
	s := newStage(t, setup{fault: "no answer"})
	c := s.establish()
	s.pbx.Vanish()
	c.left.Send("INVITE", peer.WithSDP(c.sdpA(2))).Expect(500)
	s.pbx.Return(s.proxy)
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(3)))
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(2)))
	c.left.Ack(out.Expect(200))
	c.right.Expect("ACK")
	c.hangUp()
	s.quiet()
}
