package scenario_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// required: true. The caller's answer waits until an SRS has taken the session, and not a moment less.
func TestRequiredHoldsTheAnswer(t *testing.T) {
	st := newStage(t, setup{srs: 2, rule: "required: true", srsNets: []string{"udp"}})
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	first := st.srss[0].Expect("INVITE")
	first.Reply(503)
	first.ExpectOther("ACK")
	second := st.srss[1].Expect("INVITE")
	if early := c.out.Next(0); early != nil {
		t.Fatalf("before any SRS took the session the caller got %s", early.Start)
	}
	rs := st.srss[1].AcceptInvite(second)
	c.accepted(dialing{})
	c.recorded(rs, 10)
	c.over(rs)
}

// No SRS takes it: 503 with a Reason for the caller, and the callee is hung up.
func TestRequiredAndNobodyRecords(t *testing.T) {
	st := newStage(t, setup{srs: 2, rule: "required: true", srsNets: []string{"udp"}, timeout: "1s"})
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	in := st.srss[0].Expect("INVITE")
	in.Reply(503)
	in.ExpectOther("ACK")
	st.srss[1].Expect("INVITE") // and is silent
	refused := c.out.ExpectFinal()
	if refused.Status() != 503 || !strings.Contains(refused.Get("Reason"), ";") {
		t.Errorf("the caller got %s, Reason %q", refused.Start, refused.Get("Reason"))
	}
	right := c.in.Dialog()
	right.Expect("ACK")
	right.AnswerBye()
}

// The caller gives up while the recording is awaited: everybody is told.
func TestRequiredAndCancelled(t *testing.T) {
	st := newStage(t, setup{rule: "required: true", srsNets: []string{"udp"}, timeout: "5s"})
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	in := st.srs().Expect("INVITE")
	in.Reply(100)
	c.out.Cancel().Expect(200)
	c.out.Expect(487)
	right := c.in.Dialog()
	right.Expect("ACK")
	right.AnswerBye()
	in.ExpectOther("CANCEL").Reply(200)
	in.Reply(487)
	in.ExpectOther("ACK")
}

// A skip code ends a required recording as well: the call is not let through.
func TestRequiredAndSkipped(t *testing.T) {
	st := newStage(t, setup{srs: 2, rule: "required: true", srsNets: []string{"udp"}, skip: "486"})
	c := st.invite(dialing{})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	in := st.srss[0].Expect("INVITE")
	in.Reply(486)
	in.ExpectOther("ACK")
	if got := c.out.ExpectFinal(); got.Status() != 503 {
		t.Errorf("the caller got %s", got.Start)
	}
	right := c.in.Dialog()
	right.Expect("ACK")
	right.AnswerBye()
}

// on_unrecorded: hangup. The answer does not wait; when nobody takes the recording both parties are hung up, and told why.
func TestHangUpUnrecorded(t *testing.T) {
	st := newStage(t, setup{srs: 2, rule: "on_unrecorded: hangup"})
	c := st.establish(dialing{})
	for _, rec := range st.srss {
		in := rec.Expect("INVITE")
		in.Reply(486)
		in.ExpectOther("ACK")
	}
	c.hungUp("not recorded")
	st.result("failed")
}

// The same in mid-call: the SRS is lost, and no other takes the session in time.
func TestHangUpWhenTheRecordingIsLost(t *testing.T) {
	st := newStage(t, setup{srs: 1, rule: "on_unrecorded: hangup\n    unrecorded_after: 1s"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	rs.Dialog.Bye()
	in := st.srs().Expect("INVITE")
	in.Reply(503)
	in.ExpectOther("ACK")
	st.srs().AutoReply("INVITE", 503)
	st.srs().Auto("ACK", func(*peer.Incoming) bool { return true })
	c.hungUp("ended by the SRS")
	st.result("partial")
}

// hungUp checks that both parties get BYE with a Reason that says so.
func (c *call) hungUp(why string) {
	c.st.t.Helper()
	for _, d := range []*peer.Dialog{c.left, c.right} {
		bye := d.AnswerBye()
		if reason := bye.Get("Reason"); !strings.HasPrefix(reason, "SIP;cause=503;") || !strings.Contains(reason, why) {
			c.st.t.Errorf("Reason: %q", reason)
		}
	}
}
