package app_test

import (
	"net/netip"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Each socket has whom it trusts, and the name by which it is known; what leaves by another one bears that one's.
func TestListenersOfTheirOwn(t *testing.T) {
	s := open(t, `tcp://`+home(1)+`:0]`, `{url: "udp://`+home(5)+`:0", advertise: second.test, trusted: [`+home(6)+`]}]`)
	second := s.app.Listeners()[1].Bound
	ladder := peer.NewLadder(t)
	phone := peer.New(t, ladder, "phone", home(6))
	dial := func(from *peer.Peer, to netip.AddrPort, ip string) (*peer.Outgoing, *peer.Media) {
		m := peer.NewMedia(t, ip, "call", from.Name)
		return from.Invite(to, peer.Call{URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: m})}), m
	}
	out, _ := dial(s.caller, second, home(4))
	out.Expect(403)
	out, _ = dial(phone, second, home(6))
	in := s.pbx.Expect("INVITE")
	if via, contact := in.Get("Via"), in.Get("Contact"); !strings.Contains(via, home(1)) || !strings.Contains(contact, "@"+home(1)+":") {
		t.Errorf("the PBX got Via %q and Contact %q", via, contact)
	}
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, home(2), "call", "bob")})))
	ok := out.Expect(200)
	if contact := ok.Get("Contact"); !strings.Contains(contact, "@second.test:") {
		t.Errorf("the phone got Contact %q", contact)
	}
	left, right := out.Dialog(ok), in.Dialog()
	left.Target = strings.Replace(left.Target, "second.test", home(5), 1) // as its name server would say
	left.Ack(ok)
	right.Expect("ACK")
	bye := right.Send("BYE")
	gone := left.Expect("BYE")
	if via := gone.Get("Via"); !strings.Contains(via, "second.test:") {
		t.Errorf("the phone's BYE came with Via %q", via)
	}
	gone.Reply(200)
	bye.Expect(200)
}
