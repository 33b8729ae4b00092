package b2bua_test

import (
	"crypto/md5"
	"strings"
	"testing"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// A subscription that we have signed goes on by us, whether a registered phone or somebody else has made it: its
// refreshes need our password as well, and its numbers are one ahead of the subscriber's. NOTIFYs pass, and what they are
// asked is the notifier's affair. The password is shown to nobody but the notifier.
func TestSignedSubscriptionGoesOn(t *testing.T) {
	for _, network := range []string{"", "udp", "tcp"} { // registered over; "" not at all
		s := authStage(t)
		over := network
		if network == "" {
			over = "udp"
		} else {
			s.register(network)
		}
		out := s.caller.Start("SUBSCRIBE", s.proxy, peer.Call{Network: over, URI: bob, Opts: []peer.Opt{peer.With("Event", "message-summary")}})
		s.pbx.Expect("SUBSCRIBE").Reply(407, peer.With("Proxy-Authenticate", trunk))
		in := s.pbx.Expect("SUBSCRIBE")
		shown(t, in.Message, "Proxy-Authorization", "a,b", "n1", "s3cret", md5.New)
		in.Reply(200)
		ok := out.Expect(200)
		pbx, phone := in.Dialog(), out.Dialog(ok)
		if len(phone.Routes) == 0 || !strings.Contains(phone.Routes[0], s.proxy.String()) {
			t.Fatalf("%q: the subscriber's route set is %q", network, phone.Routes)
		}

		notify := pbx.Send("NOTIFY", peer.With("Event", "message-summary"))
		got := s.caller.Expect("NOTIFY")
		if got.Network() != over || got.Get("Route") != "" || got.Get("Proxy-Authorization") != "" {
			t.Errorf("%q: NOTIFY came over %s as\n%s", network, got.Network(), got.Raw)
		}
		got.Reply(407, peer.With("Proxy-Authenticate", trunk))
		if m := notify.Expect(407); m.Get("Proxy-Authenticate") != trunk {
			t.Errorf("%q: the notifier is asked by\n%s", network, m.Raw)
		}

		last, _ := in.CSeq()
		for _, nonce := range []string{"n1", "n2"} { // as before, and asked anew
			refresh := phone.Send("SUBSCRIBE", peer.With("Event", "message-summary"), peer.With("Contact", s.caller.Contact(over)))
			again := s.pbx.Expect("SUBSCRIBE")
			if nonce == "n2" {
				again.Reply(407, peer.With("Proxy-Authenticate", strings.Replace(trunk, "n1", "n2", 1)+", stale=true"))
				again = s.pbx.Expect("SUBSCRIBE")
			}
			shown(t, again.Message, "Proxy-Authorization", "a,b", nonce, "s3cret", md5.New)
			if n, _ := again.CSeq(); n <= last || again.URI() != peer.URIOf(s.pbx.Contact("udp")) || again.Get("Route") != "" {
				t.Errorf("%q: number %d before, refresh came as\n%s", network, last, again.Raw)
			}
			last, _ = again.CSeq()
			again.Reply(200)
			if n, _ := refresh.Expect(200).CSeq(); n != phone.CSeq {
				t.Errorf("%q: refresh %d is answered as %d", network, phone.CSeq, n)
			}
		}

		elsewhere := peer.New(t, s.ladder, "elsewhere", "127.0.0.1", "udp")
		stray := phone.Send("SUBSCRIBE", func(m *peer.Message) {
			m.Start = "SUBSCRIBE sip:x@" + elsewhere.Addr().String() + " SIP/2.0"
		})
		lured := elsewhere.Expect("SUBSCRIBE")
		lured.Reply(407, peer.With("Proxy-Authenticate", trunk))
		if stray.Expect(407); lured.Get("Proxy-Authorization") != "" || elsewhere.Maybe("SUBSCRIBE", 0) != nil {
			t.Errorf("%q: the password is shown to others:\n%s", network, lured.Raw)
		}
		s.quiet()
	}
}

// Its NOTIFYs come by us although nobody there may begin anything: the route that they show was given with it. Of another
// dialog it is worth nothing.
func TestSignedSubscriptionOfATrunkThatIsNotTrusted(t *testing.T) {
	s := gateStageFor(t, setup{policy: authPolicy}, false, "s3cret")
	// Here the caller is the trunk, as a stranger; the PBX subscribes.
	out := s.pbx.Start("SUBSCRIBE", s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.With("Event", "message-summary")}})
	in := s.caller.Expect("SUBSCRIBE")
	in.Reply(200)
	out.Expect(200)
	trunk := in.Dialog()
	notify := trunk.Send("NOTIFY", peer.With("P-Asserted-Identity", "<sip:boss@pbx.test>"),
		peer.With("Authorization", `Digest username="alice", realm="gate.test", nonce="n", uri="sip:x", response="00"`))
	got := s.pbx.Expect("NOTIFY")
	if got.Get("P-Asserted-Identity") != "" || got.Get("Authorization") != "" { // what is shown to us is not passed on
		t.Errorf("a stranger asserts, or shows the PBX what is ours, in\n%s", got.Raw)
	}
	got.Reply(200)
	notify.Expect(200)
	trunk.Send("MESSAGE").Expect(401) // nothing else comes by that route
	trunk.CallID = "another"
	trunk.Send("NOTIFY").Expect(401)
	s.quiet()
}

func authPolicy(s *stage) policy.Config {
	return policy.Config{Routes: []policy.Route{{Name: "trunk", Targets: policy.Targets(s.caller.URI("")),
		Auth: &policy.Credentials{User: "acme", Password: "s3cret"}}}}
}
