package b2bua_test

import (
	"fmt"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// A callee need not wait for the PRACK of a response without description (RFC 3262 §3): what acknowledges it then comes
// behind the 2xx, or behind its ACK, and has the callee's numbers nevertheless.
func TestPrackCrossesTheAnswer(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for _, acknowledged := range []bool{false, true} {
			s := newStage(t, setup{identity: identity})
			c := s.invite(peer.With("Supported", "100rel"))
			c.in.Reply(180, peer.With("Require", "100rel"), peer.With("RSeq", "776656"))
			rung := c.out.Expect(180)
			c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
			ok := c.out.Expect(200)
			c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
			ack := func() {
				c.left.Ack(ok)
				c.right.Expect("ACK")
			}
			if acknowledged {
				ack()
			}
			prack := c.left.Send("PRACK", peer.With("RAck", rung.Get("RSeq")+" "+c.out.Sent.Get("CSeq")))
			in := c.right.Expect("PRACK")
			if want := fmt.Sprint("776656 ", c.in.Get("CSeq")); in.Get("RAck") != want {
				t.Errorf("%s: RAck %q, want %q", identity, in.Get("RAck"), want)
			}
			in.Reply(200)
			prack.Expect(200)
			if !acknowledged {
				ack()
			}
			// Those of a re-INVITE are the callee's own.
			again := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)), peer.With("Supported", "100rel"))
			re := c.right.Expect("INVITE")
			re.Reply(183, peer.With("Require", "100rel"), peer.With("RSeq", "1"))
			shown := again.Expect(183)
			prack = c.left.Send("PRACK", peer.With("RAck", shown.Get("RSeq")+" "+again.Sent.Get("CSeq")))
			in = c.right.Expect("PRACK")
			if want := fmt.Sprint("1 ", re.Get("CSeq")); in.Get("RAck") != want {
				t.Errorf("%s: RAck %q, want %q", identity, in.Get("RAck"), want)
			}
			in.Reply(200)
			prack.Expect(200)
			re.Reply(200, peer.WithSDP(c.sdpB(2)))
			c.left.Ack(again.Expect(200))
			c.right.Expect("ACK")
			c.hangUp()
			s.quiet()
		}
	}
}

// 603 is everybody's word: who answers all the same, before he hears of it, is told that the call is over.
func TestParallelAnswerCrossesTheRefusal(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s, c, in := ringing(t, identity, nil)
		in[1].Reply(180)
		c.out.Expect(180)
		in[0].Reply(603)
		in[0].ExpectOther("ACK")
		c.out.Expect(603)
		in[1].ExpectOther("CANCEL").Reply(200)
		in[1].Reply(200, peer.WithSDP(c.sdpB(1)))
		late := in[1].Dialog()
		late.Expect("ACK")
		late.AnswerBye()
		s.quiet()
	}
}
