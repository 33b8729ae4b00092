package b2bua_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// extras are fields that mean nothing to us: they pass as they are and in their order.
var extras = []peer.Header{
	{Name: "Supported", Value: "timer, 100rel,replaces"}, {Name: "k", Value: "path"},
	{Name: "Session-Expires", Value: "1800;refresher=uac"}, {Name: "Min-SE", Value: "90"},
	{Name: "Refer-To", Value: "<sip:x@y?Replaces=a%3Bto-tag%3Db>"}, {Name: "Replaces", Value: "a@b;to-tag=1;from-tag=2"},
	{Name: "P-Asserted-Identity", Value: `"A, B" <sip:a@x>, <tel:+1>`}, {Name: "Privacy", Value: "id"},
	{Name: "Reason", Value: `Q.850;cause=17;text="a;b"`}, {Name: "Reason", Value: "SIP;cause=486"},
	{Name: "Identity", Value: "eyJ..x;info=<https://a/b>"}, {Name: "X-Odd", Value: `"un\"balanced`},
	{Name: "Warning", Value: `399 x "y"`}, {Name: "User-Agent", Value: "Phone (1.0)"},
}

func adding() []peer.Opt {
	opts := make([]peer.Opt, len(extras))
	for i, h := range extras {
		opts[i] = peer.Adding(h.Name, h.Value)
	}
	return opts
}

// passed compares the extras of a message that arrived with what was sent.
func passed(t *testing.T, where string, m *peer.Message) {
	t.Helper()
	var got []peer.Header
	for _, h := range m.Headers {
		if slices.ContainsFunc(extras, func(e peer.Header) bool { return e.Name == h.Name }) {
			got = append(got, h)
		}
	}
	if !slices.Equal(got, extras) {
		t.Errorf("%s: arrived\n%q", where, got)
	}
}

// Every request of a call and every response to one carries the headers of its sender to the other end.
func TestEverythingElsePasses(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		t.Run(string(identity), func(t *testing.T) {
			s := newStage(t, setup{identity: identity})
			opts := adding()
			c := s.invite(opts...)
			passed(t, "INVITE", c.in.Message)
			for _, status := range []int{180, 183} {
				c.in.Reply(status, opts...)
				passed(t, "1xx", c.out.Expect(status))
			}
			c.in.Reply(200, append(opts, peer.WithSDP(c.sdpB(1)))...)
			ok := c.out.Expect(200)
			passed(t, "200", ok)
			c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
			c.left.Ack(ok, opts...)
			passed(t, "ACK", c.right.Expect("ACK").Message)
			for _, d := range [][2]*peer.Dialog{{c.left, c.right}, {c.right, c.left}} {
				for _, method := range []string{"INVITE", "UPDATE", "INFO", "REFER", "NOTIFY"} {
					out := d[0].Send(method, opts...)
					in := d[1].Expect(method)
					passed(t, method, in.Message)
					in.Reply(603, opts...)
					passed(t, method+" 603", out.Expect(603))
					if method == "INVITE" {
						in.ExpectOther("ACK")
					}
				}
			}
			bye := c.right.Send("BYE", opts...)
			in := c.left.AnswerBye()
			passed(t, "BYE", in.Message)
			bye.Expect(200)
			s.quiet()
		})
	}
}

// What belongs to one leg stays there; our Contact keeps the parameters and the display name of theirs.
func TestLegsKeepTheirOwn(t *testing.T) {
	s := newStage(t, setup{})
	contact := `"Al" <sip:alice@192.0.2.1:5060;ob>;+sip.instance="<urn:uuid:1>";q=0.5`
	c := s.invite(peer.With("Record-Route", "<sip:"+s.caller.Addr().String()+";lr>"), peer.With("Max-Forwards", "12"),
		peer.With("Route", "<sip:"+s.proxy.String()+";lr>, <sip:elsewhere.test;lr>"), peer.With("Contact", contact), peer.With("Path", "<sip:x>"))
	for _, name := range []string{"Record-Route", "Route", "Path"} {
		if v := c.in.Get(name); v != "" {
			t.Errorf("%s passed: %s", name, v)
		}
	}
	if got := c.in.Get("Contact"); !strings.HasPrefix(got, `"Al" <sip:`) || !strings.HasSuffix(got, `>;+sip.instance="<urn:uuid:1>";q=0.5`) || strings.Contains(got, "192.0.2.1") {
		t.Errorf("Contact became %s", got)
	}
	if len(c.in.All("Via")) != 1 || c.in.Get("Max-Forwards") != "11" {
		t.Errorf("INVITE came as %q", c.in.Raw)
	}
	rr := "<sip:" + s.pbx.Addr().String() + ";lr>"
	c.in.Reply(200, peer.With("Record-Route", rr), peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	if got := ok.All("Record-Route"); !slices.Equal(got, []string{"<sip:" + s.caller.Addr().String() + ";lr>"}) {
		t.Errorf("the caller's route set is %q", got)
	}
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Routes = nil
	c.left.Ack(ok)
	if got := c.right.Expect("ACK"); got.Get("Route") != rr {
		t.Errorf("ACK with Route %q", got.Get("Route"))
	}
	// The other way round the caller's own proxy is in the route.
	c.right.Routes = nil
	out := c.right.Send("INFO")
	in := s.caller.Expect("INFO")
	if in.Get("Route") != "<sip:"+s.caller.Addr().String()+";lr>" || in.URI() != "sip:alice@192.0.2.1:5060;ob" {
		t.Errorf("INFO came as %q", in.Raw)
	}
	in.Reply(200)
	out.Expect(200)
	c.hangUp()
	s.quiet()
}

// A redirection and a challenge reach the caller whole.
func TestFailuresPassWhole(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	contacts := []string{"<sip:x@192.0.2.1>;q=0.9, <sip:y@192.0.2.2>", `"Z" <sip:z@192.0.2.3>`}
	c.in.Reply(302, peer.With("Contact", contacts[0]), peer.Adding("Contact", contacts[1]), peer.With("Retry-After", "5"))
	c.in.ExpectOther("ACK")
	if got := c.out.Expect(302); !slices.Equal(got.All("Contact"), contacts) || got.Get("Retry-After") != "5" {
		t.Errorf("302 came as %q", got.Raw)
	}
	c = s.invite()
	c.in.Reply(401, peer.With("WWW-Authenticate", `Digest realm="a, b"`), peer.Adding("WWW-Authenticate", `Basic x`), peer.With("To", c.in.Get("To")))
	c.in.ExpectOther("ACK")
	if got := c.out.Expect(401); len(got.All("WWW-Authenticate")) != 2 || got.ToTag() == "" {
		t.Errorf("401 came as %q", got.Raw)
	}
	s.quiet()
}

// A spiral: the PBX sends the call back to us under the same Call-ID for somebody else. These are two calls.
func TestSpiral(t *testing.T) {
	var phone *peer.Peer
	s := newStage(t, setup{policy: func(s *stage) policy.Config {
		phone = peer.New(t, s.ladder, "phone", "127.0.0.1", "udp")
		return policy.Config{Routes: []policy.Route{
			{Name: "phone", Match: policy.Match{RequestURI: regexp.MustCompile("^sip:phone@")}, Targets: policy.Targets(phone.URI(""))},
			{Name: "pbx", Targets: policy.Targets(s.pbx.URI(""))},
		}}
	}})
	c := s.invite()
	// The PBX is a proxy here: it keeps everything but the Request-URI, and records no route.
	back := c.onward("sip:phone@example.test")
	in := phone.Expect("INVITE")
	s.only(2)
	in.Reply(180)
	c.in.Reply(180, asAnswered(back.Expect(180)))
	c.out.Expect(180)
	c.comesBack(in, back)
	s.quiet()
}

// onward has the PBX send the call's INVITE back through the system, to somebody else.
func (c *call) onward(uri string) *peer.Outgoing {
	m := &peer.Message{Start: "INVITE " + uri + " SIP/2.0", Body: c.in.Body}
	for _, h := range c.in.Headers {
		if h.Name != "Content-Length" {
			m.Headers = append(m.Headers, h)
		}
	}
	return c.st.pbx.Send("udp", c.st.proxy, m)
}

// comesBack has the one who is asked then answer, the PBX pass that on, and him hang up.
func (c *call) comesBack(in *peer.Incoming, back *peer.Outgoing) {
	in.Reply(200, peer.WithSDP(c.sdpB(1)))
	ok := back.Expect(200)
	c.in.Reply(200, asAnswered(ok), peer.WithSDP(ok.SDP()))
	final := c.out.Expect(200)
	c.left = c.out.Dialog(final)
	c.left.Ack(final)
	right := in.Dialog()
	right.Expect("ACK")
	bye := right.Send("BYE")
	c.left.AnswerBye()
	bye.Expect(200)
}

// asAnswered gives a proxy's response the To and the Contact of the one it got.
func asAnswered(m *peer.Message) peer.Opt {
	return func(out *peer.Message) {
		peer.With("To", m.Get("To"))(out)
		peer.With("Contact", m.Get("Contact"))(out)
	}
}
