package scenario_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// keyed are the keys of each action in TestEveryDoorDoesEveryAction.
var keyed = map[policy.Action]string{
	policy.ActionStart: "*1", policy.ActionPause: "*2", policy.ActionResume: "*3", policy.ActionStop: "*9",
	policy.ActionMask: "#4", policy.ActionUnmask: "#5", policy.ActionMove: "#6", policy.ActionTag: "#7",
}

// steeredBy are the ways in which a party says an action; each has the request answered, and sees to it that the other
// party gets what it should.
var steeredBy = map[string]func(t *testing.T, c *call, action policy.Action, more string){
	"INFO": func(_ *testing.T, c *call, action policy.Action, more string) {
		c.left.Send("INFO", peer.With("X-Sidetrack-Action", string(action)+more)).Expect(200)
	},
	"INFO of an SBC": func(_ *testing.T, c *call, action policy.Action, more string) {
		c.left.Send("INFO", peer.With("X-AC-Action", string(action)+"-siprec"+more)).Expect(200)
	},
	"INVITE": headerIn("INVITE"),
	"UPDATE": headerIn("UPDATE"),
	"keys by INFO": func(t *testing.T, c *call, action policy.Action, _ string) {
		key(t, c.left, c.right, keyed[action], false)
	},
	"keys in RTP": func(_ *testing.T, c *call, action policy.Action, _ string) {
		for _, k := range keyed[action] {
			c.a.Press(c.aTo.rtp, eventPT, uint8(strings.IndexRune("0123456789*#", k)))
		}
	},
}

// headerIn says an action in a request that is for the other party as well: it goes on, without our header.
func headerIn(method string) func(*testing.T, *call, policy.Action, string) {
	return func(t *testing.T, c *call, action policy.Action, more string) {
		t.Helper()
		in := c.apply(change{method: method, opts: []peer.Opt{peer.With("X-Sidetrack-Action", string(action)+more), peer.With("X-Case", "17")}})
		if in.Get("X-Sidetrack-Action") != "" || in.Get("X-Case") != "17" {
			t.Errorf("the callee got X-Sidetrack-Action %q, X-Case %q", in.Get("X-Sidetrack-Action"), in.Get("X-Case"))
		}
	}
}

// Each action by each door has its effect at the SRS; one that comes at the wrong time has none, and the log says so.
func TestEveryDoorDoesEveryAction(t *testing.T) {
	for door, say := range steeredBy {
		t.Run(door, func(t *testing.T) { testDoor(t, door, say) })
	}
}

func testDoor(t *testing.T, door string, say func(*testing.T, *call, policy.Action, string)) {
	var keys []string
	for _, action := range policy.Actions() {
		keys = append(keys, fmt.Sprintf("%s: %q", action, keyed[action]))
	}
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"},
		rule: "controls: {by: caller, signalling: true, swallow: true, keys: {" + strings.Join(keys, ", ") + "}}"})
	c := st.newCall(dialing{})
	payloads := "0"
	if door == "keys in RTP" {
		payloads += fmt.Sprint(" ", eventPT)
	}
	line := func(m *peer.Media) peer.Opt {
		sdp := peer.BuildSDP(1, peer.Line{Media: m, Extra: []string{fmt.Sprintf("rtpmap:%d telephone-event/8000", eventPT)}})
		return peer.WithSDP(bytes.Replace(sdp, []byte("RTP/AVP 0\r\n"), []byte("RTP/AVP "+payloads+"\r\n"), 1))
	}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", Opts: []peer.Opt{line(c.a)}})
	c.in = st.callee.Expect("INVITE")
	c.in.Reply(200, line(c.b))
	c.accepted(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)

	done := map[policy.Action]bool{}
	do := func(action policy.Action, more string) {
		t.Helper()
		done[action] = true
		say(t, c, action, more)
	}
	refused := func(action policy.Action) {
		t.Helper()
		before := st.sys.wishes(action)
		say(t, c, action, "")
		if !peer.Eventually(func() bool { return st.sys.wishes(action) > before }) {
			t.Errorf("the log does not tell of a %s at the wrong time", action)
		}
	}
	if door == "INVITE" || door == "UPDATE" { // the callee may not: what it says passes, and the first resume has nothing to end
		if in := c.apply(change{method: door, fromCallee: true, opts: []peer.Opt{peer.With("X-Sidetrack-Action", "pause")}}); in.Get("X-Sidetrack-Action") != "pause" {
			t.Errorf("the caller got X-Sidetrack-Action %q", in.Get("X-Sidetrack-Action"))
		}
	}
	refused(policy.ActionResume)
	refused(policy.ActionStart)
	do(policy.ActionPause, "")
	directions(t, rs, "inactive", "inactive")
	refused(policy.ActionPause)
	do(policy.ActionResume, "")
	directions(t, rs, "sendonly", "sendonly")
	c.recorded(rs, 5)
	do(policy.ActionMask, "")
	for label := range rs.Streams {
		awaitSilence(rs.Streams[label])
	}
	do(policy.ActionUnmask, "")
	c.recorded(rs, 5)
	tag := ""
	if !strings.HasPrefix(door, "keys") {
		tag = ";parameter=agent;value=Zoe"
	}
	do(policy.ActionTag, tag)
	rs.Update()
	if doc := string(rs.Doc().Raw); tag != "" && !strings.Contains(doc, "Zoe") || tag == "" && !strings.Contains(doc, "tag") {
		t.Errorf("the tag is not in the document:\n%s", doc)
	}
	do(policy.ActionMove, "")
	there := st.srss[1].Accept()
	rs.End()
	if there.Doc().Sessions[0].ID != rs.Doc().Sessions[0].ID {
		t.Error("another session has come to the next SRS")
	}
	c.recorded(there, 5)
	do(policy.ActionStop, "")
	there.End()
	refused(policy.ActionStop)
	refused(policy.ActionTag)
	do(policy.ActionStart, "")
	again := st.srs().Accept()
	c.recorded(again, 5)
	for _, action := range policy.Actions() {
		if !done[action] {
			t.Errorf("nobody has asked for %s", action)
		}
	}
	c.hangUp()
	again.End()
}

// wishes counts the lines by which the log tells of an action at the wrong time.
func (s *System) wishes(action policy.Action) (n int) {
	for line := range strings.Lines(s.logged.tail(5000)) {
		if strings.Contains(line, "at the wrong time") && strings.Contains(line, "action="+string(action)+" ") {
			n++
		}
	}
	return n
}

// awaitSilence waits until a stream carries packets of silence, which are no party's own.
func awaitSilence(m *peer.Media) {
	n := m.Received()
	m.Await("silence", func(all []peer.Packet) bool {
		silent := 0
		for _, p := range all[min(n, len(all)):] {
			if p.Party == "" && len(p.Payload) == peer.Frame && bytes.Count(p.Payload, []byte{0xff}) == peer.Frame {
				silent++
			}
		}
		return silent >= 5
	})
}

// Keys in RTP reach the other party, and the SRS only where the recorder does not drop them.
func TestDroppedKeys(t *testing.T) {
	for rule, want := range map[string]bool{"pass": true, "drop": false} {
		t.Run(rule, func(t *testing.T) {
			st := newStage(t, setup{recorder: "    dtmf: " + rule, srsNets: []string{"udp"}})
			c := st.newCall(dialing{})
			line := func(m *peer.Media) []byte {
				sdp := peer.BuildSDP(1, peer.Line{Media: m, Extra: []string{fmt.Sprintf("rtpmap:%d telephone-event/8000", eventPT)}})
				return bytes.Replace(sdp, []byte("RTP/AVP 0\r\n"), fmt.Appendf(nil, "RTP/AVP 0 %d\r\n", eventPT), 1)
			}
			c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: line(c.a)})
			c.in = st.callee.Expect("INVITE")
			c.in.Reply(200, peer.WithSDP(line(c.b)))
			c.accepted(dialing{})
			in := st.srs().Expect("INVITE")
			rs := st.srs().Take(in)
			answer := bytes.ReplaceAll(rs.Answer(), []byte("RTP/AVP 0\r\n"), fmt.Appendf(nil, "RTP/AVP 0 %d\r\n", eventPT))
			answer = bytes.ReplaceAll(answer, []byte("a=rtpmap:0 "), fmt.Appendf(nil, "a=rtpmap:%d telephone-event/8000\r\na=rtpmap:0 ", eventPT))
			in.Reply(200, peer.WithSDP(answer))
			in.ExpectOther("ACK")
			c.recorded(rs, 10)
			for key := range uint8(3) {
				c.a.Press(c.aTo.rtp, eventPT, key)
			}
			events := func(all []peer.Packet) (n int) {
				for _, p := range all {
					if p.Party == "" && len(p.Payload) == 4 {
						n++
					}
				}
				return n
			}
			c.b.Await("the keys", func(all []peer.Packet) bool { return events(all) == 3*4 })
			if want {
				rs.Streams["1"].Await("the keys", func(all []peer.Packet) bool { return events(all) == 3*4 })
			}
			c.recorded(rs, 10) // of what was sent after them
			all := rs.Streams["1"].Packets()
			if got := events(all) > 0; got != want {
				t.Errorf("%s: the SRS got %d packets of keys", rule, events(all))
			}
			c.hangUp()
			rs.End()
		})
	}
}
