package scenario_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// REC-06, REC-12: what another recording client tells in a=record passes to the other party, in offers and answers, and so
// does record-aware in Supported.
func TestRecordPasses(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	c := st.newCall(dialing{})
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", Opts: []peer.Opt{peer.With("Supported", "record-aware, timer")},
		SDP: peer.BuildSDP(1, peer.Line{Media: c.a, Extra: []string{"recordpref:on"}})})
	c.in = st.callee.Expect("INVITE")
	if !strings.Contains(c.in.Get("Supported"), "record-aware") || !strings.Contains(string(c.in.SDP()), "a=recordpref:on\r\n") {
		t.Errorf("the INVITE came as\n%s", c.in.Raw)
	}
	c.in.Reply(200, peer.With("Supported", "record-aware"), peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b, Extra: []string{"record:on"}})))
	ok := c.out.Expect(200)
	if !strings.Contains(ok.Get("Supported"), "record-aware") || !strings.Contains(string(ok.SDP()), "a=record:on\r\n") {
		t.Errorf("the 200 came as\n%s", ok.Raw)
	}
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	in := c.apply(change{method: "UPDATE", fromCallee: true, offer: peer.Line{Extra: []string{"record:paused"}}})
	if !strings.Contains(string(in.SDP()), "a=record:paused\r\n") {
		t.Errorf("the UPDATE came as\n%s", in.Raw)
	}
	c.hangUp()
}
