package b2bua_test

import (
	"slices"
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// strictly fails unless a request came for a strict router, with whom it is for at the end of the route (RFC 3261
// §12.2.1.1, §16.12.1.2).
func strictly(t *testing.T, in *peer.Incoming, router string, route ...string) {
	t.Helper()
	var got []string
	for _, r := range in.All("Route") {
		for v := range strings.SplitSeq(r, ",") {
			got = append(got, peer.URIOf(strings.TrimSpace(v)))
		}
	}
	if in.URI() != router || !slices.Equal(got, route) {
		t.Errorf("%s came as %s with Route %q, wanted %s with %q", in.Method(), in.URI(), got, router, route)
	}
}

// A party of a call is behind a router that knows no lr, alone or before a loose one: all of our requests to it are routed
// in the old way, and so are the ACKs and the CANCEL that belong to them.
func TestStrictRouterOfAParty(t *testing.T) {
	const further = "sip:127.0.0.9:5060;lr"
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for _, who := range []string{"caller", "callee"} {
			for _, two := range []bool{false, true} {
				s := newStage(t, setup{identity: identity})
				router := peer.New(t, s.ladder, "router", "127.0.0.1", "udp")
				uri := router.URI(";x=1")
				var c *call
				var here, there *peer.Dialog
				var target []string
				var ok *peer.Message // not acknowledged yet
				if who == "caller" {
					set := "<" + uri + ">"
					if two {
						set += ", <" + further + ">" // the last of the caller's routers comes first for us
					}
					c = s.invite(peer.With("Record-Route", set))
					if got := c.in.Get("Record-Route") + c.in.Get("Route"); got != "" {
						t.Errorf("the callee is shown the route of the caller: %s", got)
					}
					c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
					final := c.out.Expect(200)
					c.left, c.right = c.out.Dialog(final), c.in.Dialog()
					c.left.Routes = nil // what it sends itself does not matter here
					c.left.Ack(final)
					c.right.Expect("ACK")
					here, there, target = c.right, c.left, []string{peer.URIOf(s.caller.Contact("udp"))}
				} else {
					set := "<" + uri + ">"
					if two {
						set = "<" + further + ">, " + set
					}
					c = s.invite()
					c.in.Reply(200, peer.WithSDP(c.sdpB(1)), peer.With("Record-Route", set))
					ok = c.out.Expect(200)
					c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
					if ok.Get("Record-Route") != "" {
						t.Errorf("the caller is shown %s", ok.Get("Record-Route"))
					}
					here, there, target = c.left, c.right, []string{peer.URIOf(s.pbx.Contact("udp"))}
				}
				if two {
					target = append([]string{further}, target...)
				}
				there.Peer = router // which answers in the place of who is behind it
				if ok != nil {
					here.Ack(ok)
					strictly(t, there.Expect("ACK"), uri, target...)
				}
				for _, method := range []string{"INFO", "UPDATE"} {
					out := here.Send(method)
					in := there.Expect(method)
					strictly(t, in, uri, target...)
					in.Reply(200, peer.With("Contact", "<"+target[len(target)-1]+">"))
					out.Expect(200)
				}
				out := here.Send("INVITE", peer.WithSDP(c.sdpA(2)))
				in := there.Expect("INVITE")
				strictly(t, in, uri, target...)
				in.Reply(488)
				strictly(t, in.ExpectOther("ACK"), uri, target...)
				out.Expect(488)
				out = here.Send("INVITE", peer.WithSDP(c.sdpA(3)))
				in = there.Expect("INVITE")
				in.Reply(100)
				out.Cancel().Expect(200)
				cancel := in.ExpectOther("CANCEL")
				strictly(t, cancel, uri, target...)
				cancel.Reply(200)
				in.Reply(487)
				in.ExpectOther("ACK")
				out.Expect(487)
				bye := here.Send("BYE")
				in = there.Expect("BYE")
				strictly(t, in, uri, target...)
				in.Reply(200)
				bye.Expect(200)
				s.quiet()
			}
		}
	}
}

// What we have put into a route comes back as the Request-URI, from a router that knows no lr, with whom it is for in the last
// Route (RFC 3261 §16.4): a call by Path, and both ways of a subscription.
func TestStrictlyRoutedToUs(t *testing.T) {
	s := newStage(t, setup{register: b2bua.RegisterPath})
	p := s.register("tcp")
	own := peer.URIOf(s.caller.Contact("tcp"))
	path := peer.URIOf(p.path)
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	c.out = s.pbx.Invite(s.proxy, peer.Call{URI: path, SDP: c.sdpA(1), Opts: []peer.Opt{peer.With("Route", "<"+own+">")}})
	c.in = s.caller.Expect("INVITE")
	if c.in.URI() != own || c.in.Get("Route") != "" || c.in.Network() != "tcp" {
		t.Errorf("the phone is rung with\n%s", c.in.Raw)
	}
	c.answer().hangUp()

	out := s.caller.Start("SUBSCRIBE", s.proxy, peer.Call{Network: "tcp", URI: bob, Opts: []peer.Opt{peer.With("Event", "dialog")}})
	in := s.pbx.Expect("SUBSCRIBE")
	in.Reply(200)
	ok := out.Expect(200)
	pbx, phone := in.Dialog(), out.Dialog(ok)
	strict := func(d *peer.Dialog) { // the first of its route has its Request-URI, and the end of the route is who it is for
		routes := d.Routes
		d.Target, d.Routes = peer.URIOf(routes[0]), append(slices.Clone(routes[1:]), "<"+d.Target+">")
	}
	phone.Routes = splitRoutes(phone.Routes)
	strict(pbx)
	notify := toProxy(s.pbx, "udp", s, pbx, "NOTIFY")
	got := s.caller.Expect("NOTIFY")
	if got.URI() != own || got.Get("Route") != "" || got.Network() != "tcp" {
		t.Errorf("NOTIFY came as\n%s", got.Raw)
	}
	got.Reply(200)
	notify.Expect(200)
	strict(phone)
	refresh := toProxy(s.caller, "tcp", s, phone, "SUBSCRIBE")
	got = s.pbx.Expect("SUBSCRIBE")
	if got.URI() != peer.URIOf(s.pbx.Contact("udp")) || got.Get("Route") != "" {
		t.Errorf("refresh came as\n%s", got.Raw)
	}
	got.Reply(200)
	refresh.Expect(200)
	s.quiet()
	p.drops()
	s.pbx.Start("OPTIONS", s.proxy, peer.Call{URI: path, Opts: []peer.Opt{peer.With("Route", "<"+own+">")}}).Expect(430)
}

// Behind us in the route of a subscription is a router that knows no lr.
func TestStrictRouterOfASubscription(t *testing.T) {
	s := newStage(t, setup{hunting: true, policy: func(s *stage) policy.Config {
		return policy.Config{Routes: []policy.Route{{Name: "pbx", Targets: policy.Targets(s.pbx.URI(""))}}}
	}})
	s.register("udp")
	out := s.caller.Start("SUBSCRIBE", s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.With("Event", "dialog")}})
	in := s.pbx.Expect("SUBSCRIBE")
	in.Reply(200, peer.With("Record-Route", "<"+s.second.URI("")+">, "+strings.Join(in.All("Record-Route"), ", ")))
	phone := out.Dialog(out.Expect(200))
	phone.Routes = splitRoutes(phone.Routes)
	refresh := phone.Send("SUBSCRIBE", peer.With("Event", "dialog"), peer.With("Contact", s.caller.Contact("udp")))
	got := s.second.Expect("SUBSCRIBE")
	strictly(t, got, s.second.URI(""), peer.URIOf(s.pbx.Contact("udp")))
	got.Reply(200)
	refresh.Expect(200)
	s.quiet()
}

// toProxy sends the next request of a dialog to the proxy as it reads.
func toProxy(p *peer.Peer, network string, s *stage, d *peer.Dialog, method string) *peer.Outgoing {
	m := request(p, method, d.Target, d.Local, d.Remote, d.CallID)
	m.Headers = slices.DeleteFunc(m.Headers, func(h peer.Header) bool { return h.Name == "Contact" })
	opts := []peer.Opt{peer.With("Contact", p.Contact(network))}
	for _, r := range d.Routes {
		opts = append(opts, peer.Adding("Route", r))
	}
	return p.Send(network, s.proxy, m, opts...)
}

// splitRoutes are the values of a route set one by one, in the order of a UAC.
func splitRoutes(lines []string) []string {
	var out []string
	for _, line := range lines {
		values := strings.Split(line, ",")
		slices.Reverse(values)
		for _, v := range values {
			out = append(out, strings.TrimSpace(v))
		}
	}
	return out
}
