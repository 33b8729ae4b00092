package scenario_test

import (
	"fmt"
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// Requests inside the dialog pass both ways with body, headers and answer, known method or not.
func TestRequestsInTheDialogPass(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	for _, method := range []string{"INFO", "OPTIONS", "MESSAGE", "NOTIFY", "FROBNICATE"} {
		for _, fromCallee := range []bool{false, true} {
			for _, status := range []int{200, 405} {
				t.Run(fmt.Sprintf("%s %v %d", method, fromCallee, status), func(t *testing.T) {
					here, there := c.left, c.right
					if fromCallee {
						here, there = c.right, c.left
					}
					body := []byte("Signal=5\r\nDuration=160\r\n")
					out := here.Send(method, peer.WithBody("application/dtmf-relay", body), peer.With("X-Tag", " a;b  c"))
					in := there.Expect(method)
					if string(in.Body) != string(body) || in.Get("Content-Type") != "application/dtmf-relay" || in.Get("X-Tag") != "a;b  c" {
						t.Errorf("arrived as\n%s", in.Raw)
					}
					in.Reply(status, peer.With("X-Answer", "yes"), peer.WithBody("text/plain", []byte("fine")))
					if got := out.Expect(status); got.Get("X-Answer") != "yes" || string(got.Body) != "fine" {
						t.Errorf("answered as\n%s", got.Raw)
					}
				})
			}
		}
	}
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

// A request for a dialog that is not, is answered 481; one whose number goes back, 500 (RFC 3261 §12.2.2).
func TestStrayRequests(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	c := st.establish(dialing{quiet: true})
	stray := *c.left
	stray.Remote += "x"
	stray.Send("BYE").Expect(481)
	back := *c.left
	back.CSeq = 50
	back.Send("INFO").Expect(500)
	c.hangUp()
}

// OPTIONS to the proxy itself, as monitors and trunks send it.
func TestOptionsToTheProxyIsAnswered(t *testing.T) {
	st := newStage(t, setup{})
	for _, network := range []string{"udp", "tcp"} {
		out := st.caller.Start("OPTIONS", st.sys.SIP, peer.Call{Network: network, URI: "sip:" + st.sys.SIP.String()})
		got := out.Expect(200)
		if !slices.Contains(got.Tokens("Allow"), "invite") {
			t.Errorf("Allow is %q", got.Get("Allow"))
		}
	}
}

// What the endpoints care about passes unchanged and in order; what is ours is ours.
var passing = []peer.Header{
	{Name: "Subject", Value: `Ünïcode; "quoted, text" <x>`},
	{Name: "User-Agent", Value: "Phone/1.0 (x; y)"},
	{Name: "P-Asserted-Identity", Value: `"Alice, A." <sip:+15551234@caller.test;user=phone>`},
	{Name: "P-Asserted-Identity", Value: `<tel:+15551234>`},
	{Name: "Diversion", Value: `<sip:first@pbx.test>;reason=no-answer;counter=1`},
	{Name: "Diversion", Value: `<sip:second@pbx.test>;reason=unconditional`},
	{Name: "History-Info", Value: `<sip:bob@pbx.test?Reason=SIP%3Bcause%3D302>;index=1, <sip:carol@pbx.test>;index=1.1`},
	{Name: "Remote-Party-ID", Value: `"A" <sip:1@x>;party=calling;screen=yes;privacy=off`},
	{Name: "Privacy", Value: "id;critical"},
	{Name: "User-to-User", Value: "00FA080019001038F725B3;encoding=hex"},
	{Name: "Call-Info", Value: `<http://caller.test/a.png>;purpose=icon`},
	{Name: "Alert-Info", Value: `<urn:alert:source:internal>`},
	{Name: "Identity", Value: `eyJhbGciOiJFUzI1NiJ9..AbC_d-;info=<https://x/y.cer>;alg=ES256`},
	{Name: "Supported", Value: "replaces, norefersub"},
	{Name: "Accept-Language", Value: "de, en;q=0.5"},
	{Name: "Organization", Value: "A & B  Ltd"},
	{Name: "X-UCID", Value: "0001 0002 0003"},
	{Name: "x-lower-case", Value: "kept"},
	{Name: "Session-ID", Value: "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"},
}

func TestHeadersPassBothWays(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	var opts []peer.Opt
	for _, h := range passing {
		opts = append(opts, peer.Adding(h.Name, h.Value))
	}
	from := `Alice   A. <sip:alice@caller.test;x="y">;p=1`
	c := st.invite(dialing{from: from, opts: opts})
	samePassing(t, "INVITE", c.in.Message)
	sent := c.out.Sent
	for _, name := range []string{"From", "To", "Call-ID"} {
		if c.in.Get(name) != sent.Get(name) {
			t.Errorf("%s %q became %q", name, sent.Get(name), c.in.Get(name))
		}
	}
	if got := c.in.Get("Max-Forwards"); got != "69" {
		t.Errorf("Max-Forwards 70 became %s", got)
	}
	if via := c.in.All("Via"); len(via) != 1 {
		t.Errorf("the callee sees the Vias %q", via)
	}
	if contact := c.in.Get("Contact"); contact == sent.Get("Contact") {
		t.Error("the caller's Contact passed")
	}
	c.in.Reply(183, opts...)
	samePassing(t, "183", c.out.Expect(183))
	c.in.Reply(200, append(opts, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})), peer.With("Server", "PBX/2"))...)
	ok := c.out.Expect(200)
	samePassing(t, "200", ok)
	if ok.Get("Server") != "PBX/2" {
		t.Errorf("Server is %q", ok.Get("Server"))
	}
	if ok.ToTag() != c.in.Tag {
		t.Errorf("the callee's tag %q became %q", c.in.Tag, ok.ToTag())
	}
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	bye := c.left.Send("BYE", opts...)
	in := c.right.Expect("BYE")
	samePassing(t, "BYE", in.Message)
	in.Reply(200)
	bye.Expect(200)
}

// samePassing compares the headers of the table with those that arrived, in order.
func samePassing(t *testing.T, where string, m *peer.Message) {
	t.Helper()
	var got []peer.Header
	for _, h := range m.Headers {
		if slices.ContainsFunc(passing, func(p peer.Header) bool { return p.Name == h.Name }) {
			got = append(got, h)
		}
	}
	if !slices.Equal(got, passing) {
		t.Errorf("%s: sent\n%q\narrived\n%q", where, passing, got)
	}
}

// With identity: rewrite nothing of one leg's dialog identifiers is seen on the other.
func TestIdentityRewrite(t *testing.T) {
	st := newStage(t, setup{identity: "rewrite"})
	c := st.establish(dialing{})
	sent := c.out.Sent
	if c.in.CallID() == sent.CallID() || c.in.FromTag() == sent.FromTag() {
		t.Error("Call-ID or From-tag passed")
	}
	if peer.Param(c.left.Remote, "tag") == c.in.Tag {
		t.Error("the callee's tag passed")
	}
	if peer.URIOf(c.in.Get("From")) != aliceAOR {
		t.Errorf("From is %q", c.in.Get("From"))
	}
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	bye := c.right.Send("BYE")
	c.left.AnswerBye()
	bye.Expect(200)
	rs.End()
	c.judge(rs)
}

// A message larger than an Ethernet frame passes over UDP, both ways.
func TestLargeMessagesOverUDP(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	st.caller.DropConnections()
	long := string(make([]byte, 0, 3000))
	for len(long) < 3000 {
		long += "0123456789abcdef"
	}
	c := st.invite(dialing{opts: []peer.Opt{peer.With("X-Long", long)}})
	if c.in.Get("X-Long") != long {
		t.Error("X-Long changed")
	}
	c.in.Reply(180, peer.With("X-Long", long))
	if c.out.Expect(180).Get("X-Long") != long {
		t.Error("X-Long changed on the way back")
	}
	c.answer(dialing{})
	c.heard(5)
	c.hangUp()
}
