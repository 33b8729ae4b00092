package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

var aware = peer.With("Supported", "record-aware")

// REC-01, REC-02, REC-05: phones that are record-aware are told of each change, by UPDATE where they have it, else by
// re-INVITE, in descriptions whose version rises; what is offered later has it too.
func TestAwareness(t *testing.T) {
	st := newStage(t, setup{timeout: "30s"})
	c := st.establish(dialing{opts: []peer.Opt{aware},
		answer: []peer.Opt{aware, peer.With("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS")}})
	rs := st.srs().Accept()
	told := &[2]uint64{1, 1} // versions that the parties have seen
	c.toldOfRecording(told, "on")
	c.recorded(rs, 10)
	c.quiet()
	path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")

	paused := post(st, path+"/pause", 200)
	rs.Update()
	<-paused
	c.toldOfRecording(told, "paused")
	resumed := post(st, path+"/resume", 200)
	rs.Update()
	<-resumed
	c.toldOfRecording(told, "on")

	in := c.apply(change{method: "INVITE", offer: peer.Line{Direction: "sendonly"}, answer: peer.Line{Direction: "recvonly"}})
	if sdp := peer.ParseSDP(in.SDP()); sdp.Version <= told[1] || !strings.Contains(string(in.SDP()), "\r\na=record:") {
		t.Errorf("the hold arrived with version %d after %d:\n%s", sdp.Version, told[1], in.SDP())
	} else {
		told[1] = sdp.Version
	}
	rs.Update()
	c.toldOfRecording(told, "paused", "sendonly", "recvonly")
	stopped := post(st, path+"/stop", 200)
	rs.End()
	<-stopped
	c.toldOfRecording(told, "off", "sendonly", "recvonly")
	c.hangUp()
}

// toldOfRecording takes the offers by which the parties are told, and answers as before, in these directions.
func (c *call) toldOfRecording(told *[2]uint64, state string, directions ...string) {
	c.st.t.Helper()
	for i, side := range []struct {
		dialog *peer.Dialog
		media  *peer.Media
		method string
	}{{c.left, c.a, "UPDATE"}, {c.right, c.b, "INVITE"}} {
		in := side.dialog.Expect(side.method)
		sdp := peer.ParseSDP(in.SDP())
		if !strings.Contains(string(in.SDP()), "\r\na=record:"+state+"\r\n") || sdp.Version <= told[i] || len(sdp.Media) != 1 {
			c.st.t.Errorf("told of %s, version %d after %d, by\n%s", state, sdp.Version, told[i], in.Raw)
		}
		told[i] = sdp.Version
		line := peer.Line{Media: side.media}
		if len(directions) > 0 {
			line.Direction = directions[i]
		}
		in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, line)))
		if side.method == "INVITE" {
			in.ExpectOther("ACK")
		}
	}
}

// A phone that is not aware hears nothing of it, and neither does the other when one refuses: no call ends by it.
func TestAwarenessDisturbsNobody(t *testing.T) {
	for _, status := range []int{488, 481, 408, 501} {
		st := newStage(t, setup{timeout: "30s"})
		c := st.establish(dialing{opts: []peer.Opt{aware}})
		rs := st.srs().Accept()
		in := c.left.Expect("UPDATE")
		in.Reply(status)
		if status == 501 { // then by re-INVITE
			in = c.left.Expect("INVITE")
			in.Reply(488)
			in.ExpectOther("ACK")
		}
		c.recorded(rs, 10)
		c.heard(10)
		if in := c.right.Maybe("UPDATE", 50*time.Millisecond); in != nil {
			t.Errorf("the callee, who is not aware, got\n%s", in.Raw)
		}
		c.quiet()
		c.hangUp()
		rs.End()
		c.judge(rs)
	}
}

// Aware phones are told in what passes anyway, or not at all, where the route wants it so; what they prefer counts all
// the same.
func TestAwarenessByRoute(t *testing.T) {
	for how, want := range map[string]bool{"descriptions": true, "off": false} {
		st := newStage(t, setup{timeout: "30s", route: "record_aware: " + how, rule: "controls: {signalling: true}"})
		c := st.establish(dialing{opts: []peer.Opt{aware}, answer: []peer.Opt{aware}})
		rs := st.srs().Accept()
		c.recorded(rs, 10)
		in := c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:pause"}}})
		rs.Update()
		if got := strings.Contains(string(in.SDP()), "\r\na=record:on\r\n"); got != want {
			t.Errorf("%s: the callee got\n%s", how, in.SDP())
		}
		in = c.apply(change{method: "INVITE", offer: peer.Line{Extra: []string{"recordpref:on"}}})
		rs.Update()
		if got := strings.Contains(string(in.SDP()), "\r\na=record:paused\r\n"); got != want {
			t.Errorf("%s: the callee got\n%s", how, in.SDP())
		}
		c.quiet()
		c.hangUp() // and nobody has got a request of ours
		rs.End()
	}
}

// REC-07, REC-08, FLOW-16: what a party prefers is done where the rule lets it steer, and told; elsewhere it passes only.
func TestRecordingPreference(t *testing.T) {
	for _, honoured := range []bool{true, false} {
		rule := ""
		if honoured {
			rule = "controls: {signalling: true}"
		}
		st := newStage(t, setup{rule: rule, timeout: "30s"})
		c := st.establish(dialing{quiet: true, opts: []peer.Opt{aware}})
		rs := st.srs().Accept()
		c.told(t, "on")
		in := c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:pause"}}})
		if !strings.Contains(string(in.SDP()), "a=recordpref:pause\r\n") {
			t.Errorf("the preference did not pass:\n%s", in.SDP())
		}
		if honoured {
			rs.Update()
			c.told(t, "paused")
			c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:on"}}})
			rs.Update()
			c.told(t, "on")
			c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:off"}}})
			rs.End()
			c.told(t, "off")
			c.hangUp()
			continue
		}
		if in := rs.Dialog.Maybe("INVITE", 50*time.Millisecond); in != nil {
			t.Errorf("the preference of a party that may not steer was honoured:\n%s", in.Raw)
		}
		c.hangUp()
		rs.End()
	}
}

// FLOW-16: what a party prefers from the first counts, too: the caller in its INVITE, the callee in its 200, also where the
// recorder hears of the call before it is answered.
func TestPreferenceFromTheFirst(t *testing.T) {
	for _, first := range []struct {
		rule, caller, callee string
		want                 string // of the recording; "": none
	}{
		{rule: "", caller: "off", want: "ended"},
		{rule: "", callee: "off", want: "ended"},
		{rule: "", caller: "pause", want: "paused"},
		{rule: "", callee: "pause", want: "paused"},
		{rule: "start: manual, ", caller: "on", want: "recording"},
		{rule: "start: manual, ", callee: "on", want: "recording"},
		{rule: "start: manual, ", caller: "nopreference", callee: "off", want: ""},
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v early %v", first, early), func(t *testing.T) {
				st := newStage(t, setup{rule: strings.ReplaceAll(first.rule, ", ", "\n    ") + "controls: {signalling: true}", srsNets: []string{"udp"}, t1: shortT1})
				sessions := st.srs().AcceptAll()
				c := st.newCall(dialing{})
				prefers := func(m *peer.Media, pref string) []byte {
					line := peer.Line{Media: m}
					if pref != "" {
						line.Extra = []string{"recordpref:" + pref}
					}
					return peer.BuildSDP(1, line)
				}
				c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: prefers(c.a, first.caller)})
				c.in = st.callee.Expect("INVITE")
				if early {
					c.in.Reply(183, peer.WithSDP(prefers(c.b, first.callee)))
					c.out.Expect(183)
				}
				c.in.Reply(200, peer.WithSDP(prefers(c.b, first.callee)))
				c.accepted(dialing{})
				c.heard(5)
				state := func() (last string) {
					if all := st.sys.recordings(); len(all) > 0 {
						last = all[0].str("state")
					}
					return last
				}
				if !peer.Eventually(func() bool { return state() == first.want }) {
					t.Errorf("the recording is %q, wanted %q", state(), first.want)
				}
				if log := st.sys.logged.tail(5000); strings.Contains(log, "at the wrong time") {
					t.Error("a preference came at the wrong time")
				}
				switch first.want {
				case "recording":
					c.recorded(sessions.Number(0), 5)
				case "paused":
					if !peer.Eventually(func() bool {
						return sessions.Taken() > 0 && slices.Equal(sessions.Directions(sessions.Number(0)), []string{"inactive", "inactive"})
					}) {
						t.Error("the SRS has not been told of the pause")
					}
				}
				c.hangUp()
			})
		}
	}
}

// told takes the UPDATE by which the caller is told.
func (c *call) told(t *testing.T, state string) {
	t.Helper()
	in := c.left.Expect("UPDATE")
	if !strings.Contains(string(in.SDP()), "\r\na=record:"+state+"\r\n") {
		t.Errorf("told of %s by\n%s", state, in.Raw)
	}
	in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: c.a})))
}

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
	c.in.Reply(200, aware, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b, Extra: []string{"record:on"}})))
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
