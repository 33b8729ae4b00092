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
