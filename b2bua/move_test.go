package b2bua_test

import (
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// asks sends a request in one dialog, which must come out in the other; it says by which network.
func asks(t *testing.T, method string, from, to *peer.Dialog) string {
	t.Helper()
	out := from.Send(method, peer.With("Contact", from.Peer.Contact("udp")))
	in := to.Expect(method)
	in.Reply(200)
	out.Expect(200)
	return in.Network()
}

// hears fails unless a party hears the other one, who sends to that description.
func hears(t *testing.T, who, from *peer.Media, description []byte) {
	t.Helper()
	to, sent := peer.ParseSDP(description).Media[0].Addr(), from.Sent()
	for range 3 {
		from.Send(to)
	}
	who.AwaitFrom(from.Party, sent, 3)
}

// Either party's network changes: from the new one it sends a re-INVITE with a new Contact and a new description. Media,
// requests and the end of the call find it there.
func TestPartyMovesByReinvite(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for _, who := range []string{"caller", "callee"} {
			s := newStage(t, setup{identity: identity})
			c := s.establish()
			goes, stays, heard := c.left, c.right, c.b
			if who == "callee" {
				goes, stays, heard = c.right, c.left, c.a
			}
			asks(t, "INFO", stays, goes)
			goes.Move(peer.New(t, s.ladder, "moved", "127.0.0.2", "udp"))
			media := peer.NewMedia(t, "127.0.0.2", "c", "moved")
			out := goes.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: media})))
			in := stays.Expect("INVITE")
			in.Reply(200, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: heard})))
			ok := out.Expect(200)
			goes.Ack(ok)
			stays.Expect("ACK")
			hears(t, heard, media, ok.SDP())
			hears(t, media, heard, in.SDP())
			for _, method := range []string{"INFO", "UPDATE"} {
				asks(t, method, stays, goes)
				asks(t, method, goes, stays)
			}
			bye := stays.Send("BYE")
			goes.AnswerBye()
			bye.Expect(200)
			s.quiet()
		}
	}
}

// A phone whose Contact leads nowhere, behind NAT, comes from elsewhere in mid-call: its NAT has another mapping for it, or
// its connection has broken. It is found where its last request of the dialog came from, or its last registration; what is
// out of order, from where it was before, does not lead back there.
func TestRegisteredPhoneMoves(t *testing.T) {
	const nowhere, other = `<sip:alice@192.0.2.9>`, `<sip:alice@192.0.2.77>`
	const instance = `;reg-id=1;+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"`
	for _, tc := range []struct {
		name, network, before, after string
		registers, stale             bool
	}{
		{"request over UDP", "udp", nowhere, nowhere, false, true},
		{"registration over UDP", "udp", nowhere, nowhere, true, false},
		{"registration with another Contact", "udp", nowhere + instance, other + instance, true, false},
		{"request over TCP", "tcp", nowhere, nowhere, false, false},
		{"registration over TCP", "tcp", nowhere, nowhere, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, setup{})
			p := s.register(tc.network, peer.With("Contact", tc.before))
			token := peer.URIOf(p.contact)
			c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
			c.out = s.caller.Invite(s.proxy, peer.Call{Network: tc.network, URI: bob, SDP: c.sdpA(1), Opts: []peer.Opt{peer.With("Contact", tc.before)}})
			c.in = s.pbx.Expect("INVITE")
			c.answer()
			at := s.caller
			if tc.network == "tcp" {
				at.DropConnections()
			}
			moved := peer.New(t, s.ladder, "moved", "127.0.0.2")
			s.caller = moved
			if c.left.Move(moved); tc.registers {
				p.again(peer.With("Contact", tc.after))
				p.grant("600")
				if got := peer.URIOf(p.contact); got != token {
					t.Errorf("the registrar knows it as %s, before as %s", got, token)
				}
			} else {
				out := c.left.Send("INFO")
				c.right.Expect("INFO").Reply(200)
				out.Expect(200)
			}
			if tc.stale {
				old := *c.left
				old.CSeq = 1
				old.Move(at)
				old.Send("INFO").Expect(500)
			}
			if over := asks(t, "INFO", c.right, c.left); over != tc.network {
				t.Errorf("INFO came over %s", over)
			}
			bye := c.right.Send("BYE")
			c.left.AnswerBye()
			bye.Expect(200)
			s.quiet()
		})
	}
}

// The address of a party's name that is first in DNS does not answer any more: its next one is asked, for all methods.
func TestNextAddressWithinTheCall(t *testing.T) {
	s := newStage(t, setup{hosts: "127.0.0.3 phone.test\n127.0.0.1 phone.test\n"})
	for _, first := range []string{"INFO", "INVITE", "BYE"} {
		c := s.establish()
		update := c.right.Send("UPDATE", peer.With("Contact", "<sip:bob@phone.test:"+portOf(s.pbx)+">"))
		c.left.Expect("UPDATE").Reply(200)
		update.Expect(200)
		switch first {
		case "INFO":
			asks(t, "INFO", c.left, c.right)
		case "INVITE":
			out := c.left.Send("INVITE", peer.WithSDP(c.sdpA(2)))
			c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(2)), peer.With("Contact", "<sip:bob@phone.test:"+portOf(s.pbx)+">"))
			c.left.Ack(out.Expect(200))
			c.right.Expect("ACK")
		}
		c.hangUp()
		s.quiet()
	}
}
