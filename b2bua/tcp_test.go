package b2bua_test

import (
	"testing"

	"sidetrack/tests/peer"
)

// tcpCall is a call whose caller came by TCP.
func tcpCall(t *testing.T) (*stage, *call) {
	s := newStage(t, setup{})
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	c.out = s.caller.Invite(s.proxy, peer.Call{Network: "tcp", URI: bob, SDP: c.sdpA(1)})
	c.in = s.pbx.Expect("INVITE")
	return s, c.answer()
}

// Requests to a caller that came by TCP use its connection (RFC 5923), whatever its Contact says.
func TestConnectionIsReused(t *testing.T) {
	s, c := tcpCall(t)
	out := c.right.Send("INFO")
	in := c.left.Expect("INFO")
	if in.Network() != "tcp" {
		t.Errorf("INFO came over %s", in.Network())
	}
	in.Reply(200)
	out.Expect(200)
	c.hangUp()
	s.quiet()
}

// The connection is gone: the Contact is asked instead.
func TestClosedConnectionFallsBackToTheContact(t *testing.T) {
	s, c := tcpCall(t)
	s.caller.DropConnections()
	if !peer.Eventually(func() bool {
		out := c.right.Send("INFO")
		in := c.left.Maybe("INFO", peer.Patience)
		if in == nil {
			return false
		}
		in.Reply(200)
		return out.ExpectFinal().Status() == 200
	}) {
		t.Error("the caller is not reached any more")
	}
	bye := c.right.Send("BYE")
	c.left.AnswerBye()
	bye.Expect(200)
}

// The same with a 503 in between would lose the call's BYE: whoever closes its connection and is hung up on, hears it.
func TestByeOverAClosedConnection(t *testing.T) {
	s, c := tcpCall(t)
	s.caller.DropConnections()
	bye := c.right.Send("BYE")
	c.left.AnswerBye()
	bye.Expect(200)
	s.quiet()
}

// A target behind a proxy that stays out of dialogs is at its Contact; its connection is the proxy's.
func TestContactBehindAProxyOverTCP(t *testing.T) {
	s := newStage(t, setup{routes: func(s *stage) []string { return []string{s.pbx.URI(";transport=tcp")} }})
	node := peer.New(t, s.ladder, "node", "127.0.0.2")
	c := s.invite()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)), peer.With("Contact", node.Contact("tcp")))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.right.Move(node)
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.hangUp()
	s.quiet()
}

// The answer to a re-INVITE comes again by another connection than the one that its ACK has gone by, which is closed: the ACK
// follows.
func TestAckFollowsToAnotherConnection(t *testing.T) {
	s, c := tcpCall(t)
	out := c.right.Send("INVITE", peer.WithSDP(c.sdpB(2)))
	in := c.left.Expect("INVITE")
	in.Reply(200, peer.WithSDP(c.sdpA(2)))
	c.right.Ack(out.Expect(200))
	ack := c.left.Expect("ACK")
	s.caller.DropConnections()
	in.Elsewhere(s.proxy)
	if !peer.Eventually(func() bool {
		in.Reply(200, peer.WithSDP(c.sdpA(2)))
		return s.caller.Times(ack.Message) > 1
	}) {
		t.Error("its ACK does not come again")
	}
	bye := c.right.Send("BYE")
	c.left.AnswerBye()
	bye.Expect(200)
	s.quiet()
}
