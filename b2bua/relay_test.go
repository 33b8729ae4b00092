package b2bua_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// A subscription made through us: its route set is not ours to cut, and its later requests that come by us pass.
func TestSubscriptionPasses(t *testing.T) {
	s := newStage(t, setup{policy: func(s *stage) policy.Config {
		return policy.Config{Routes: []policy.Route{
			{Name: "back", Match: policy.Match{Method: []string{"NOTIFY"}}, RequestURI: true},
			{Name: "pbx", Targets: policy.Targets(s.pbx.URI(""))},
		}}
	}})
	out := s.caller.Start("SUBSCRIBE", s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{
		peer.With("Event", "dialog"), peer.With("Record-Route", "<sip:edge.test;lr>"), peer.With("Route", "<sip:"+s.proxy.String()+";lr>"),
	}})
	in := s.pbx.Expect("SUBSCRIBE")
	if in.Get("Route") != "" || in.Get("Record-Route") != "<sip:edge.test;lr>" || in.Get("Contact") != out.Sent.Get("Contact") {
		t.Errorf("SUBSCRIBE came as %q", in.Raw)
	}
	in.Reply(200, peer.With("Record-Route", "<sip:core.test;lr>, <sip:edge.test;lr>"))
	ok := out.Expect(200)
	if got := ok.Get("Record-Route"); got != "<sip:core.test;lr>, <sip:edge.test;lr>" {
		t.Errorf("the route set became %q", got)
	}
	// The phone uses us as its outbound proxy, the PBX sends by us too: neither is for a call.
	refresh := request(s.caller, "SUBSCRIBE", peer.URIOf(ok.Get("Contact")), out.Sent.Get("From"), ok.Get("To"), out.Sent.CallID())
	sent := s.caller.Send("udp", s.proxy, refresh, peer.With("Route", "<sip:"+s.proxy.String()+";lr>"))
	got := s.pbx.Expect("SUBSCRIBE")
	if got.ToTag() != ok.ToTag() || got.Get("Route") != "" || got.URI() != peer.URIOf(ok.Get("Contact")) {
		t.Errorf("refresh came as %q", got.Raw)
	}
	got.Reply(200)
	sent.Expect(200)
	notify := request(s.pbx, "NOTIFY", peer.URIOf(out.Sent.Get("Contact")), ok.Get("To"), out.Sent.Get("From"), out.Sent.CallID())
	sent = s.pbx.Send("udp", s.proxy, notify)
	s.caller.Expect("NOTIFY").Reply(200)
	sent.Expect(200)
	// What is addressed to us, or would belong to a call, ends here.
	s.caller.Send("udp", s.proxy, request(s.caller, "SUBSCRIBE", "sip:"+s.proxy.String(), out.Sent.Get("From"), ok.Get("To"), "x")).Expect(481)
	s.caller.Send("udp", s.proxy, request(s.caller, "INVITE", bob, out.Sent.Get("From"), ok.Get("To"), "x")).Expect(481)
	s.quiet()
}

// request builds a request of a dialog that was made past us.
func request(p *peer.Peer, method, uri, from, to, callID string) *peer.Message {
	return &peer.Message{Start: method + " " + uri + " SIP/2.0", Headers: []peer.Header{
		{Name: "From", Value: from}, {Name: "To", Value: to}, {Name: "Call-ID", Value: callID}, {Name: "CSeq", Value: "900 " + method},
		{Name: "Contact", Value: p.Contact("udp")}, {Name: "Max-Forwards", Value: "70"}, {Name: "Event", Value: "dialog"},
	}}
}

// MESSAGE, unknown methods and OPTIONS for somebody behind us pass with body, answer and tag.
func TestOtherRequestsPass(t *testing.T) {
	s := newStage(t, setup{})
	for _, method := range []string{"MESSAGE", "PUBLISH", "OPTIONS", "FROBNICATE", "REFER"} {
		out := s.caller.Start(method, s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.WithBody("text/plain", []byte("a\x00\xff\r\n"))}})
		in := s.pbx.Expect(method)
		if string(in.Body) != "a\x00\xff\r\n" || in.CallID() != out.Sent.CallID() {
			t.Errorf("%s came as %q", method, in.Raw)
		}
		in.Reply(405, peer.With("Allow", "INVITE"), peer.WithBody("text/plain", []byte("no")))
		if got := out.Expect(405); got.ToTag() != in.Tag || string(got.Body) != "no" || got.Get("Allow") != "INVITE" {
			t.Errorf("%s answered as %q", method, got.Raw)
		}
	}
	s.quiet()
}

// Targets that fail or are silent are passed over, as for calls; a late answer still counts.
func TestRelayedRequestsHunt(t *testing.T) {
	s := newStage(t, setup{hunting: true, silence: 60 * time.Millisecond})
	out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
	first := s.pbx.Expect("MESSAGE")
	second := s.second.Expect("MESSAGE")
	first.Reply(202)
	out.Expect(202)
	second.Reply(200)
	out = s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
	s.pbx.Expect("MESSAGE").Reply(503)
	s.second.Expect("MESSAGE").Reply(503, peer.With("Retry-After", "9"))
	if out.Expect(503).Get("Retry-After") != "" {
		t.Error("the second 503 was taken for the first")
	}
	s.quiet()
}

// Nobody answers: a 408 would come when the sender has given up too (RFC 4320); a refused port is told at once.
func TestRelayedRequestWithoutAnswer(t *testing.T) {
	s := newStage(t, setup{t1: 10 * time.Millisecond})
	out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
	in := s.pbx.Expect("MESSAGE")
	s.pbx.AwaitTimes(in.Message, 4)
	if got := out.Next(900 * time.Millisecond); got != nil {
		t.Errorf("the caller got %s", got.Start)
	}
	s.pbx.Close()
	s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob}).Expect(503)
}

// What must not pass, does not.
func TestRefusals(t *testing.T) {
	s := newStage(t, setup{})
	us := "sip:" + s.proxy.String()
	for _, tc := range []struct {
		method, uri string
		opt         peer.Opt
		status      int
		header      string
	}{
		{"INVITE", bob, peer.With("Max-Forwards", "0"), 483, ""},
		{"REGISTER", bob, peer.With("Max-Forwards", "0"), 483, ""},
		{"OPTIONS", bob, peer.With("Max-Forwards", "0"), 200, "Allow: INVITE"},
		{"OPTIONS", us, peer.With("Subject", "ping"), 200, "Accept: application/sdp"},
		{"OPTIONS", us, peer.With("Require", "100rel, noneOfIt"), 420, "Unsupported: noneOfIt"},
		{"OPTIONS", bob, peer.With("Proxy-Require", "noneOfIt"), 420, "Unsupported: noneOfIt"},
		{"INVITE", bob, peer.With("Require", "noneOfIt, timer"), 420, "Unsupported: noneOfIt"},
		{"OPTIONS", "nobodyKnows:this", peer.With("Subject", "x"), 416, ""},
		{"INVITE", "urn:service:x", peer.With("Subject", "x"), 416, ""},
		{"BYE", bob, peer.With("Subject", "x"), 481, ""},
		{"PRACK", bob, peer.With("RAck", "1 1 INVITE"), 481, ""},
		{"UPDATE", bob, peer.With("Subject", "x"), 481, ""},
	} {
		out := s.caller.Start(tc.method, s.proxy, peer.Call{URI: tc.uri, Opts: []peer.Opt{tc.opt}})
		got := out.ExpectFinal()
		name, want, _ := strings.Cut(tc.header, ": ")
		if got.Status() != tc.status || !strings.HasPrefix(got.Get(name), want) || got.ToTag() == "" {
			t.Errorf("%s %s: %q", tc.method, tc.uri, got.Raw)
		}
	}
	s.quiet()
}

// A phone that knows us by our address only names it in its requests; the PBX is told its own, as in calls.
func TestRequestsThatNameUs(t *testing.T) {
	s := newStage(t, setup{})
	for method, user := range map[string]string{"REGISTER": "", "SUBSCRIBE": "bob@", "MESSAGE": "bob@", "OPTIONS": "bob@"} {
		out := s.caller.Start(method, s.proxy, peer.Call{URI: "sip:" + user + s.proxy.String() + ";user=phone", Opts: []peer.Opt{peer.With("Expires", "60")}})
		in := s.pbx.Expect(method)
		if want := "sip:" + user + s.pbx.Addr().String() + ";user=phone"; in.URI() != want {
			t.Errorf("%s came for %s, not %s", method, in.URI(), want)
		}
		in.Reply(403)
		out.Expect(403)
	}
	s.quiet()
}
