package app_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/tests/peer"
)

// A phone that sip.auth knows signs in and calls; the PBX, which is trusted, and the metrics tell the others.
func TestPhonesSignIn(t *testing.T) {
	s := open(t, "trusted: [127.0.0.0/8]", `trusted: [`+home(2)+`]
  auth: {realm: example.com, users: {alice: "s3cret"}}`)
	m := peer.NewMedia(t, home(4), "call", "alice")
	refused := s.dial(m).Expect(401)
	resp := &sip.Message{Status: 401}
	for _, v := range refused.All("WWW-Authenticate") {
		resp.Add("WWW-Authenticate", v)
	}
	sign := func(password string) peer.Opt {
		c, ok := digest.Of(resp)
		if !ok {
			t.Fatalf("%s", refused.Raw)
		}
		req := sip.NewRequest("INVITE", "sip:bob@pbx.test")
		c.Sign(req, digest.Credentials{User: "alice", Password: password})
		return peer.With("Authorization", req.Get("Authorization"))
	}
	call := func(opts ...peer.Opt) *peer.Outgoing {
		return s.caller.Invite(s.sip(), peer.Call{URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: m}), Opts: opts})
	}
	call(sign("wrong")).Expect(401)
	out := call(sign("s3cret"))
	in := s.pbx.Expect("INVITE")
	in.Reply(486)
	in.ExpectOther("ACK")
	out.Expect(486)
	s.eventually("the wrong one is counted", func() bool {
		return s.metric(`sidetrack_sip_rejected_total{reason="credentials"}`) == "1"
	})
	if strings.Contains(s.log.String(), "s3cret") {
		t.Error("a password in the log")
	}
}

// Each socket may have who signs in there, or nobody: what one asks for is nothing to another.
func TestSocketsAskForThemselves(t *testing.T) {
	s := open(t, `tcp://`+home(1)+`:0]`, `{url: "udp://`+home(5)+`:0", auth: {realm: branch.test, status: 407, users: {bob: "0ther"}}}, {url: "udp://`+home(6)+`:0", auth: none}]
  auth: {realm: example.com, users: {alice: "s3cret"}}`, "trusted: [127.0.0.0/8]", "trusted: ["+home(2)+"]")
	ask := func(i int, opts ...peer.Opt) *peer.Outgoing {
		return s.caller.Start("REGISTER", s.app.Listeners()[i].Bound, peer.Call{URI: "sip:pbx.test", From: "<sip:bob@pbx.test>", Opts: append(opts, peer.With("To", "<sip:bob@pbx.test>"))})
	}
	if realm := ask(0).Expect(401).Get("WWW-Authenticate"); !strings.Contains(realm, `realm="example.com"`) {
		t.Errorf("the first asks %s", realm)
	}
	ask(2).Expect(403)
	resp := &sip.Message{Status: 407}
	for _, v := range ask(1).Expect(407).All("Proxy-Authenticate") {
		resp.Add("Proxy-Authenticate", v)
	}
	c, ok := digest.Of(resp)
	if !ok {
		t.Fatal("the second asks for nothing that can be answered")
	}
	req := sip.NewRequest("REGISTER", "sip:pbx.test")
	c.Sign(req, digest.Credentials{User: "bob", Password: "0ther"})
	shown := peer.With("Proxy-Authorization", req.Get("Proxy-Authorization"))
	ask(0, shown).Expect(401)
	ask(2, shown).Expect(403)
	out := ask(1, shown)
	in := s.pbx.Expect("REGISTER")
	if in.Get("Proxy-Authorization") != "" {
		t.Error("the PBX is shown what was for the socket")
	}
	in.Reply(200)
	out.Expect(200)
}
