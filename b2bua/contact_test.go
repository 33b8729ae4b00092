package b2bua_test

import (
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// Who is transferred sends its INVITE to the Contact that was in Refer-To, which is ours: it reaches the party behind it,
// as do other requests to it, from either side. After the call it is nobody's, and the rules say where it goes.
func TestContactStandsForTheOtherParty(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity, hunting: true})
		one, two := s.establish(), s.invite()
		two.in.Reply(200, peer.WithSDP(two.sdpB(1)), peer.With("Contact", s.second.Contact("udp")))
		ok := two.out.Expect(200)
		two.left, two.right = two.out.Dialog(ok), two.in.Dialog()
		two.right.Move(s.second)
		two.left.Ack(ok)
		two.right.Expect("ACK")

		// The caller refers the one to the other.
		refer := one.left.Send("REFER", peer.With("Refer-To", "<"+two.left.Target+"?Replaces=x>"))
		in := one.right.Expect("REFER")
		in.Reply(202, peer.With("Refer-Sub", "false"))
		refer.Expect(202)
		third := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "third"), b: two.b}
		third.out = s.pbx.Invite(s.proxy, peer.Call{URI: two.left.Target, SDP: third.sdpA(1), Opts: []peer.Opt{peer.With("Replaces", known(two.right))}})
		third.in = s.second.Expect("INVITE")
		if third.in.URI() != peer.URIOf(s.second.Contact("udp")) || third.in.Get("Replaces") != known(two.right) {
			t.Errorf("%s: the other party, who knows %s, got\n%s", identity, known(two.right), third.in.Raw)
		}
		third.answer()

		for range 8 { // of this and of other lanes
			for to, uri := range map[*peer.Peer]string{s.second: two.left.Target, s.caller: two.right.Target} {
				out := s.pbx.Start("MESSAGE", s.proxy, peer.Call{URI: uri})
				in := to.Expect("MESSAGE")
				if in.URI() != peer.URIOf(to.Contact("udp")) {
					t.Errorf("%s: MESSAGE came as %s", identity, in.URI())
				}
				in.Reply(200)
				out.Expect(200)
			}
		}
		bye := two.right.Send("BYE")
		two.left.AnswerBye()
		bye.Expect(200)
		if !peer.Eventually(func() bool { return s.server.Active() == 2 }) {
			t.Errorf("%s: %d calls", identity, s.server.Active())
		}
		out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: two.left.Target})
		s.pbx.Expect("MESSAGE").Reply(404)
		out.Expect(404)
		one.hangUp()
		third.hangUp()
		s.quiet()
	}
}
