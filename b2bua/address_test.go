package b2bua_test

import (
	"net"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// silent has a socket that says nothing at an address, on the port of a peer.
func silent(t *testing.T, at string, p *peer.Peer) {
	t.Helper()
	conn, err := net.ListenPacket("udp", net.JoinHostPort(at, portOf(p)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
}

const twoAddresses = "127.0.0.3 phone.test\n127.0.0.1 phone.test\n"

// The first address of a party's name is silent, without a word of the network: a re-INVITE goes on to the next one, and so
// does all that follows.
func TestSilentAddressWithinTheCall(t *testing.T) {
	s := newStage(t, setup{hosts: twoAddresses, timerB: 3 * time.Second})
	silent(t, "127.0.0.3", s.pbx)
	c := s.establish()
	update := c.right.Send("UPDATE", peer.With("Contact", "<sip:bob@phone.test:"+portOf(s.pbx)+">"))
	c.left.Expect("UPDATE").Reply(200)
	update.Expect(200)
	out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(2)), peer.With("Contact", "<sip:bob@phone.test:"+portOf(s.pbx)+">"))
	c.left.Ack(out.Expect(200))
	c.right.Expect("ACK")
	c.hangUp()
	s.quiet()
}

// An ACK has no transaction: that it does not arrive is told by the 2xx that come again and again.
func TestAckFindsTheNextAddress(t *testing.T) {
	s := newStage(t, setup{hosts: twoAddresses})
	c := s.invite()
	answer := func() {
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)), peer.With("Contact", "<sip:bob@phone.test:"+portOf(s.pbx)+">"))
	}
	answer()
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	if !peer.Eventually(func() bool { answer(); return c.right.Maybe("ACK", 20*time.Millisecond) != nil }) {
		t.Fatal("the ACK does not come")
	}
	c.hangUp()
	s.quiet()
}

// The caller gives up while an UPDATE is under way in the early dialog, from either side: who sent it hears 487, and what is
// said to it afterwards harms nobody.
func TestCancelDuringAnEarlyUpdate(t *testing.T) {
	for _, from := range []string{"caller", "callee"} {
		s := newStage(t, setup{})
		c := s.invite()
		c.in.Reply(180)
		c.left, c.right = c.out.Dialog(c.out.Expect(180)), c.in.Dialog()
		asks, asked := c.left, c.right
		if from == "callee" {
			asks, asked = asked, asks
		}
		update := asks.Send("UPDATE")
		in := asked.Expect("UPDATE")
		c.out.Cancel().Expect(200)
		update.Expect(487)
		c.out.Expect(487)
		c.in.ExpectOther("CANCEL").Reply(200)
		in.Reply(200)
		c.in.Reply(487)
		c.in.ExpectOther("ACK")
		s.quiet()
	}
}

// Our refresh and the parties' own cross, by UPDATE: none of them offers anything, so each is answered, and the call stands.
func TestRefreshesCross(t *testing.T) {
	s := newStage(t, setup{session: 90})
	c := s.establish()
	toA, toB := c.left.Expect("UPDATE"), c.right.Expect("INVITE")
	fromA := c.left.Send("UPDATE")
	c.right.Expect("UPDATE").Reply(491) // it has our re-INVITE to answer
	fromA.Expect(491)
	toA.Reply(500, peer.With("Retry-After", "1"))
	toB.Reply(200, peer.WithSDP(c.sdpB(1)))
	c.right.Expect("ACK")
	c.left.Expect("UPDATE").Reply(200)
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(1)))
	c.right.Expect("ACK")
	c.hangUp()
	s.quiet()
}
