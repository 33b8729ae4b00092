package b2bua_test

import (
	"fmt"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// Glare: an offer while the other side's is pending gets 491, a second one of the same side 500 with Retry-After.
func TestGlare(t *testing.T) {
	for _, method := range []string{"INVITE", "UPDATE"} {
		for _, fromCallee := range []bool{false, true} {
			t.Run(fmt.Sprint(method, fromCallee), func(t *testing.T) {
				s := newStage(t, setup{})
				c := s.establish()
				here, there := c.left, c.right
				if fromCallee {
					here, there = there, here
				}
				out := here.Send(method, peer.WithSDP(c.sdpA(2)))
				in := there.Expect(method)
				there.Send("INVITE", peer.WithSDP(c.sdpB(2))).Expect(491)
				there.Send("UPDATE", peer.WithSDP(c.sdpB(2))).Expect(491)
				if got := here.Send(method, peer.WithSDP(c.sdpA(3))).Expect(500); got.Get("Retry-After") == "" {
					t.Error("500 without Retry-After")
				}
				if method == "INVITE" {
					here.Last = out
				}
				// An UPDATE without SDP offers nothing and passes.
				update := there.Send("UPDATE")
				got := here.Expect("UPDATE")
				if got.Get("Contact") == "" || len(got.Body) > 0 {
					t.Errorf("UPDATE came as %q", got.Raw)
				}
				got.Reply(200)
				update.Expect(200)
				in.Reply(200, peer.WithSDP(c.sdpB(2)))
				ok := out.Expect(200)
				if method == "INVITE" {
					here.Ack(ok)
					there.Expect("ACK")
				}
				c.hangUp()
				s.quiet()
			})
		}
	}
}

// A refused re-INVITE leaves the media as they were, whatever a 183 to it had promised.
func TestRefusedReinviteKeepsTheMedia(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	toA := peer.ParseSDP(c.in.SDP()).Media[0].Addr()
	c.answer()
	moved := peer.NewMedia(t, "127.0.0.1", "c", "moved")
	out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: moved})))
	in := c.right.Expect("INVITE")
	in.Reply(183, peer.WithSDP(c.sdpB(2)))
	out.Expect(183)
	in.Reply(488, peer.With("Warning", `304 pbx "no"`), peer.WithSDP(c.sdpB(9)))
	in.ExpectOther("ACK")
	if got := out.Expect(488); got.Get("Warning") == "" || peer.ParseSDP(got.SDP()).Media[0].Addr() != c.b.Addr() {
		t.Errorf("the refusal came as %q", got.Raw)
	}
	c.b.Send(toA)
	c.a.AwaitFrom("callee", 0, 1)
	c.hangUp()
	s.quiet()
}

// 481 and 408 to a re-INVITE end the call (RFC 3261 §12.2.1.2); anything else does not.
func TestLostDialogEndsTheCall(t *testing.T) {
	for _, status := range []int{481, 408} {
		s := newStage(t, setup{})
		c := s.establish()
		out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
		in := c.right.Expect("INVITE")
		in.Reply(status)
		in.ExpectOther("ACK")
		out.Expect(status)
		c.left.AnswerBye()
		if status == 408 {
			c.right.AnswerBye()
		}
		s.quiet()
	}
}

// An UPDATE that one fork of two does not know costs that fork's request, not the call.
func TestLostEarlyDialogIsNotTheCall(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(180, peer.Tag("x"))
	x := c.out.Dialog(c.out.Expect(180))
	out := x.Send("UPDATE")
	s.pbx.Expect("UPDATE").Reply(481)
	out.Expect(481)
	c.in.Tag = "y"
	c.answer(peer.Tag("y"))
	c.hangUp()
	s.quiet()
}

// Hanging up while a re-INVITE is pending: 487 to who asked it, ACK to who still answers it.
func TestByeDuringAReinvite(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, fromCallee := range []bool{false, true} {
			s := newStage(t, setup{})
			c := s.establish()
			out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
			in := c.right.Expect("INVITE")
			in.Reply(100)
			if fromCallee {
				bye := c.right.Send("BYE")
				out.Expect(487)
				c.left.AnswerBye()
				bye.Expect(200)
			} else {
				bye := c.left.Send("BYE")
				out.Expect(487)
				bye.Expect(200)
				c.right.AnswerBye()
			}
			in.ExpectOther("CANCEL").Reply(200)
			if late {
				in.Reply(200, peer.WithSDP(c.sdpB(2)))
			} else {
				in.Reply(487)
			}
			in.ExpectOther("ACK")
			s.quiet()
		}
	}
}

// Hanging up between the 200 of a re-INVITE and its ACK: the callee is owed the ACK before its BYE.
func TestByeBeforeTheAckOfAReinvite(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
	in := c.right.Expect("INVITE")
	in.Reply(200, peer.WithSDP(c.sdpB(2)))
	out.Expect(200)
	bye := c.left.Send("BYE")
	in.ExpectOther("ACK")
	c.right.AnswerBye()
	bye.Expect(200)
	s.quiet()
}

// An INVITE behind an ACK that was lost: who sends it has had our 200, and so the other side is acknowledged and asked
// (RFC 5407 §3.1.4). The ACK that comes late after all goes nowhere. With the answer in that ACK, it has to wait.
func TestReinviteBehindALostAck(t *testing.T) {
	for _, fromCallee := range []bool{false, true} {
		s := newStage(t, setup{})
		c := s.establish()
		here, there := c.left, c.right
		if fromCallee {
			here, there = there, here
		}
		out := here.Send("INVITE", peer.WithSDP(c.sdpA(2)))
		there.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(2)))
		ok := out.Expect(200)
		again := here.Send("INVITE", peer.WithSDP(c.sdpA(3)))
		there.Expect("ACK")
		in := there.Expect("INVITE")
		here.Last = out
		here.Ack(ok)
		in.Reply(200, peer.WithSDP(c.sdpB(3)))
		ok = again.Expect(200)
		here.Last = again
		here.Ack(ok)
		there.Expect("ACK")

		out = here.Send("INVITE")
		there.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(4)))
		ok = out.Expect(200)
		if got := here.Send("INVITE", peer.WithSDP(c.sdpA(5))).Expect(500); got.Get("Retry-After") == "" {
			t.Error("500 without Retry-After")
		}
		here.Last = out
		here.Ack(ok, peer.WithSDP(c.sdpA(4)))
		if got := there.Expect("ACK"); len(got.Body) == 0 {
			t.Error("the answer is lost")
		}
		c.hangUp()
		s.quiet()
	}
}

// SDP in what negotiates nothing passes as it is and does not get in the way of an offer.
func TestSDPThatIsNoOffer(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	out := c.left.Send("OPTIONS")
	c.right.Expect("OPTIONS").Reply(200, peer.WithSDP(c.sdpB(9)))
	if got := out.Expect(200); string(got.Body) != string(c.sdpB(9)) {
		t.Errorf("capabilities became %s", got.Body)
	}
	out = c.right.Send("MESSAGE", peer.WithSDP(c.sdpB(8)))
	if in := c.left.Expect("MESSAGE"); string(in.Body) != string(c.sdpB(8)) {
		t.Errorf("body became %s", in.Body)
	} else {
		in.Reply(200)
	}
	out.Expect(200)
	update := c.left.Send("UPDATE", peer.WithSDP(c.sdpA(2)))
	c.right.Expect("UPDATE").Reply(200, peer.WithSDP(c.sdpB(2)))
	update.Expect(200)
	c.hangUp()
	s.quiet()
}

// An answer that a broken callee leaves out does not block the offers after it.
func TestForgottenAnswer(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
	c.right.Expect("INVITE").Reply(200)
	c.left.Ack(out.Expect(200))
	c.right.Expect("ACK")
	for _, d := range [][2]*peer.Dialog{{c.left, c.right}, {c.right, c.left}} {
		update := d[0].Send("UPDATE", peer.WithSDP(c.sdpA(3)))
		d[1].Expect("UPDATE").Reply(200, peer.WithSDP(c.sdpB(3)))
		update.Expect(200)
	}
	c.hangUp()
	s.quiet()
}

// The new Contact of a re-INVITE, an UPDATE or their 200 is where the next request goes, on that leg only.
func TestTargetRefresh(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	moved := peer.New(t, s.ladder, "moved", "127.0.0.1", "udp")
	out := c.left.Send("UPDATE")
	in := c.right.Expect("UPDATE")
	if in.Get("Contact") == "" || in.Get("Contact") == c.out.Sent.Get("Contact") {
		t.Errorf("Contact %q", in.Get("Contact"))
	}
	in.Reply(200, peer.With("Contact", moved.Contact("udp")))
	out.Expect(200)
	info := c.left.Send("INFO")
	moved.Expect("INFO").Reply(200)
	info.Expect(200)
	bye := c.left.Send("BYE")
	moved.Expect("BYE").Reply(200)
	bye.Expect(200)
	s.quiet()
}

// Numbers that go back get 500, wrong tags 481; neither takes the call anywhere.
func TestStrayRequestsInTheDialog(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity})
		c := s.establish()
		stranger := peer.New(t, s.ladder, "stranger", "127.0.0.1", "udp")
		stray := *c.left
		stray.Peer = stranger
		stray.Remote += "x"
		stray.Send("BYE").Expect(481)
		stray.Send("INVITE", peer.WithSDP(c.sdpA(9))).Expect(481)
		back := *c.left
		back.CSeq = 50
		back.Send("INFO").Expect(500)
		c.hangUp()
		s.quiet()
	}
}

// A Contact that is a name: what waits for the lookup leaves in its order, and the call is not over before its BYE is.
func TestNamedContact(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(200, peer.With("Contact", "<sip:pbx@localhost:"+portOf(s.pbx)+">"), peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.left.Send("INFO")
	bye := c.left.Send("BYE")
	bye.Expect(200)
	c.right.Expect("ACK")
	c.right.Expect("INFO").Reply(200)
	c.right.AnswerBye()
}

// A Contact that nobody knows: the peer is where it was last heard.
func TestUnresolvableContact(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.answer(peer.With("Contact", "<sip:pbx@nowhere.invalid:5060>"))
	c.hangUp()
	s.quiet()
}
