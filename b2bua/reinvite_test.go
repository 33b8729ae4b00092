package b2bua_test

import (
	"fmt"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// The 2xx of a re-INVITE and its ACK are lost on either leg, with the answer in the one or in the other: the 2xx is repeated
// to who asks until he acknowledges it, and that of who is asked gets its ACK again, each time whole.
func TestRepeated200OfAReinvite(t *testing.T) {
	for _, fromCallee := range []bool{false, true} {
		for _, delayed := range []bool{false, true} {
			t.Run(fmt.Sprint(fromCallee, delayed), func(t *testing.T) {
				s := newStage(t, setup{})
				c := s.establish()
				here, there := c.left, c.right
				if fromCallee {
					here, there = there, here
				}
				offer, answer := c.says(!fromCallee, 2), []byte(nil)
				if delayed {
					offer, answer = answer, offer
				}
				out := here.Send("INVITE", peer.WithSDP(offer))
				in := there.Expect("INVITE")
				answers := func() { in.Reply(200, peer.WithSDP(c.says(fromCallee, 2))) }
				answers()
				ok := out.Expect(200)
				answers()
				answers()
				info := there.Send("INFO") // behind them on the same path: they have been seen
				here.Expect("INFO").Reply(200)
				info.Expect(200)
				if there.Maybe("ACK", 0) != nil {
					t.Error("ACK before that of who asked")
				}
				here.Peer.AwaitTimes(ok, 3)
				here.Ack(ok, peer.WithSDP(answer))
				ack := there.Expect("ACK")
				if got := len(ack.Body) > 0; got != delayed {
					t.Errorf("ACK came as\n%s", ack.Raw)
				}
				for n := range 2 {
					answers()
					there.Peer.AwaitTimes(ack.Message, n+2)
				}
				toldHere, toldThere := ok.SDP(), in.SDP()
				if delayed {
					toldThere = ack.SDP()
				}
				if fromCallee {
					toldHere, toldThere = toldThere, toldHere
				}
				c.talk(toldHere, toldThere)
				c.hangUp()
				s.quiet()
			})
		}
	}
}

// The callee never acknowledges the answer to its re-INVITE: the call ends for both (RFC 3261 §13.3.1.4), and who answered has
// had its ACK.
func TestNoAckOfAReinvite(t *testing.T) {
	s := newStage(t, setup{t1: 30 * time.Millisecond, timerB: peer.Patience})
	c := s.establish()
	out := c.right.Send("INVITE", peer.WithSDP(c.says(false, 2)))
	c.left.Expect("INVITE").Reply(200, peer.WithSDP(c.says(true, 2)))
	out.Expect(200)
	c.left.Expect("ACK")
	c.left.AnswerBye()
	c.right.AnswerBye()
	s.quiet()
}
