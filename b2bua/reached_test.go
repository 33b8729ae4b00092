package b2bua_test

import (
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// A phone that registers through us is called through us, whatever its Contact says, over UDP and TCP, in both modes.
func TestRegisteredPhoneIsCalled(t *testing.T) {
	for _, mode := range []b2bua.RegisterMode{b2bua.RegisterContact, b2bua.RegisterPath} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(string(mode)+" "+network, func(t *testing.T) {
				rec := newRecorder(false)
				s := newStage(t, setup{register: mode, recorder: rec})
				p := s.register(network)
				own := peer.URIOf(s.caller.Contact(network))
				if mode == b2bua.RegisterPath {
					if peer.URIOf(p.contact) != own || !strings.HasSuffix(p.path, ";lr>") || !strings.Contains(p.path, s.proxy.String()) || p.in.Get("Supported") != "path" {
						t.Errorf("REGISTER came as %q", p.in.Raw)
					}
				} else if strings.Contains(p.contact, s.caller.Addr().String()) || !strings.Contains(p.contact, s.proxy.String()) || p.path != "" {
					t.Errorf("REGISTER came as %q", p.in.Raw)
				}
				c := p.ring()
				if views := s.only(1); views[0].Route != b2bua.RegisteredRoute {
					t.Errorf("calls: %+v", views)
				}
				c.answer()
				for _, d := range [][2]*peer.Dialog{{c.left, c.right}, {c.right, c.left}} {
					out := d[0].Send("INFO")
					d[1].Expect("INFO").Reply(200)
					out.Expect(200)
				}
				bye := c.left.Send("BYE")
				c.right.AnswerBye()
				bye.Expect(200)
				if cs := <-rec.ended; cs.Answered.IsZero() {
					t.Errorf("the recorder was told %+v", cs)
				}
				s.quiet()
			})
		}
	}
}

// Behind NAT the Contact is a private address that nobody can send to.
func TestRegisteredBehindNAT(t *testing.T) {
	s := newStage(t, setup{})
	private := "<sip:alice@192.168.77.5:5060;ob>"
	p := s.register("udp", peer.With("Contact", private))
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	with := p.reach()
	with.SDP = c.sdpA(1)
	c.out = s.pbx.Invite(s.proxy, with)
	c.in = s.caller.Expect("INVITE")
	if c.in.URI() != "sip:alice@192.168.77.5:5060;ob" {
		t.Errorf("the phone got %q", c.in.Start)
	}
	c.answer(peer.With("Contact", private))
	bye := c.left.Send("BYE") // its Contact leads nowhere, its flow does
	c.right.AnswerBye()
	bye.Expect(200)
	s.quiet()
}

// MESSAGE, NOTIFY, OPTIONS and what we do not know reach the phone, their answers the PBX.
func TestRequestsReachThePhone(t *testing.T) {
	for _, mode := range []b2bua.RegisterMode{b2bua.RegisterContact, b2bua.RegisterPath} {
		s := newStage(t, setup{register: mode})
		p := s.register("tcp")
		for _, method := range []string{"MESSAGE", "NOTIFY", "OPTIONS", "FROBNICATE"} {
			out := s.pbx.Start(method, s.proxy, p.reach(peer.WithBody("text/plain", []byte("hi"))))
			in := s.caller.Expect(method)
			if in.URI() != peer.URIOf(s.caller.Contact("tcp")) || string(in.Body) != "hi" || in.Get("Route") != "" {
				t.Errorf("%s came as %q", method, in.Raw)
			}
			in.Reply(202)
			out.Expect(202)
		}
		s.quiet()
	}
}

// A phone subscribes: the NOTIFYs come back by its flow, and its refresh finds the PBX.
func TestSubscriptionOfARegisteredPhone(t *testing.T) {
	s := newStage(t, setup{})
	s.register("tcp")
	out := s.caller.Start("SUBSCRIBE", s.proxy, peer.Call{Network: "tcp", URI: bob, Opts: []peer.Opt{peer.With("Event", "dialog")}})
	in := s.pbx.Expect("SUBSCRIBE")
	route := in.All("Record-Route")
	if len(route) != 2 || !strings.Contains(route[1], "transport=tcp") { // one for each side's socket
		t.Fatalf("SUBSCRIBE came with Record-Route %q", route)
	}
	in.Reply(200)
	ok := out.Expect(200)
	pbx, phone := in.Dialog(), out.Dialog(ok)
	notify := pbx.Send("NOTIFY", peer.With("Event", "dialog"))
	got := s.caller.Expect("NOTIFY")
	if got.Network() != "tcp" || got.Get("Route") != "" {
		t.Errorf("NOTIFY came over %s as %q", got.Network(), got.Raw)
	}
	got.Reply(200)
	notify.Expect(200)
	refresh := phone.Send("SUBSCRIBE", peer.With("Event", "dialog"), peer.With("Contact", s.caller.Contact("tcp")))
	again := s.pbx.Expect("SUBSCRIBE")
	if again.URI() != peer.URIOf(s.pbx.Contact("udp")) || again.Get("Route") != "" || again.Get("Record-Route") != "" {
		t.Errorf("refresh came as %q", again.Raw)
	}
	again.Reply(200)
	refresh.Expect(200)
	s.quiet()
}

// Phone to phone by way of the PBX: the same Call-ID comes twice, these are two calls.
func TestPhoneCallsPhone(t *testing.T) {
	var second *peer.Peer
	s := newStage(t, setup{policy: func(s *stage) policy.Config {
		second = peer.New(t, s.ladder, "carol", "127.0.0.1", "udp")
		return policy.Config{Routes: []policy.Route{{Name: "pbx", Targets: policy.Targets(s.pbx.URI(""))}}}
	}})
	carol := &phone{stage: s, network: "udp"}
	carol.sent = second.Start("REGISTER", s.proxy, peer.Call{URI: "sip:pbx.test", From: "<sip:carol@pbx.test>"})
	carol.in = s.pbx.Expect("REGISTER")
	carol.contact = carol.in.Get("Contact")
	carol.grant("60")
	s.register("tcp")
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	c.out = s.caller.Invite(s.proxy, peer.Call{Network: "tcp", URI: "sip:carol@pbx.test", SDP: c.sdpA(1)})
	c.in = s.pbx.Expect("INVITE")
	back := c.onward(peer.URIOf(carol.contact))
	in := second.Expect("INVITE")
	s.only(2)
	c.comesBack(in, back)
	s.quiet()
}
