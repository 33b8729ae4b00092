package scenario_test

import (
	"fmt"
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// While a program decides about a recording nobody can begin the same one beside it: neither keys, nor signalling, nor the
// API. Its no stays a no, and its yes makes one recording.
func TestNothingBeginsWhileItIsDecided(t *testing.T) {
	for name, tt := range map[string]struct {
		answer   string
		recorded bool
	}{"yes": {`{}`, true}, "no": {`{"record": false}`, false}} {
		t.Run(name, func(t *testing.T) {
			url, questions, answers := decider(t)
			st := newStage(t, setup{rule: "decide: {url: " + url + ", timeout: 10s}\n    " + fmt.Sprintf(steering, "both", true), srsNets: []string{"udp"}})
			c := st.establish(dialing{})
			<-questions
			key(t, c.left, c.right, "*1", false)
			c.left.Send("INFO", peer.With("X-Sidetrack-Action", "start")).Expect(200)
			c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:on"}}})
			<-ask(st, "/api/v1/calls/"+st.sys.list("/api/v1/calls")[0].str("id")+"/recordings", `{"recorder": "main"}`, 409)
			answers <- tt.answer
			if !tt.recorded {
				if !peer.Eventually(func() bool { return st.sys.metric(`sidetrack_decisions_total{answer="skip"}`) == 1 }) {
					t.Error("not decided")
				}
				c.hangUp()
				if all := st.sys.recordings(); len(all) != 0 {
					t.Errorf("recorded all the same: %v", all)
				}
				return
			}
			rs := st.srs().Accept()
			c.recorded(rs, 10)
			if all := st.sys.recordings(); len(all) != 1 {
				t.Errorf("%d recordings: %v", len(all), all)
			}
			c.hangUp()
			rs.End()
		})
	}
}

// What a party wants while it is decided whether it is recorded counts once that is so: what was paused does not begin in
// the clear, by whatever door it was.
func TestPausedWhileItIsDecided(t *testing.T) {
	for door, say := range map[string]func(t *testing.T, c *call, action, key, pref string){
		"recordpref": func(_ *testing.T, c *call, _, _, pref string) {
			c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:" + pref}}})
		},
		"header": func(_ *testing.T, c *call, action, _, _ string) {
			c.left.Send("INFO", peer.With("X-Sidetrack-Action", action)).Expect(200)
		},
		"keys": func(t *testing.T, c *call, _, keys, _ string) { key(t, c.left, c.right, keys, false) },
	} {
		t.Run(door, func(t *testing.T) {
			url, questions, answers := decider(t)
			st := newStage(t, setup{rule: "decide: {url: " + url + ", timeout: 10s}\n    " + fmt.Sprintf(steering, "both", true), srsNets: []string{"udp"}})
			c := st.establish(dialing{})
			<-questions
			say(t, c, "pause", "*2", "pause")
			answers <- `{}`
			rs := st.srs().Accept()
			if got := rs.Directions(); !slices.Equal(got, []string{"inactive", "inactive"}) {
				t.Errorf("offered %v at first", got)
			}
			if !peer.Eventually(func() bool { return st.sys.recordings()[0].str("state") == "paused" }) {
				t.Errorf("the recording is %s", st.sys.recordings()[0].str("state"))
			}
			for label, m := range rs.Streams {
				if n := len(m.Packets()); n > 0 {
					t.Errorf("label %s has %d packets", label, n)
				}
			}
			say(t, c, "resume", "*3", "on")
			directions(t, rs, "sendonly", "sendonly")
			c.recorded(rs, 10)
			c.hangUp()
			rs.End()
		})
	}
}

// Nor is one begun beside a rule's that waits for the call's answer.
func TestNothingBeginsBesideWhatIsToBegin(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.invite(dialing{})
	c.in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	c.out.Expect(183)
	<-ask(st, "/api/v1/calls/"+st.sys.list("/api/v1/calls")[0].str("id")+"/recordings", `{"recorder": "main"}`, 409)
	c.answer(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	if all := st.sys.recordings(); len(all) != 1 {
		t.Errorf("%d recordings: %v", len(all), all)
	}
	c.hangUp()
	rs.End()
}

// A party steers the recording also where a program has decided on another recorder than the rule's.
func TestSteeredAtAnotherRecorder(t *testing.T) {
	url, questions, answers := decider(t)
	st := newStageWith(t, setup{srs: 2, srsNets: []string{"udp"}, rule: "decide: {url: " + url + ", timeout: 10s}\n    " + fmt.Sprintf(steering, "both", true)},
		func(st *stage, s *setup) {
			s.srsURIs = st.srss[0].URI("")
			s.recorder = fmt.Sprintf("  other:\n    srs: %q\n", st.srss[1].URI(""))
		})
	c := st.establish(dialing{})
	<-questions
	answers <- `{"recorders": ["other"]}`
	rs := st.srss[1].Accept()
	c.recorded(rs, 10)
	key(t, c.left, c.right, "*2", false)
	directions(t, rs, "inactive", "inactive")
	key(t, c.left, c.right, "*1", false) // it is there, paused
	key(t, c.left, c.right, "*3", false)
	directions(t, rs, "sendonly", "sendonly")
	c.recorded(rs, 10)
	if all := st.sys.recordings(); len(all) != 1 || all[0].str("recorder") != "other" {
		t.Errorf("recordings %v", all)
	}
	key(t, c.left, c.right, "**9", false)
	rs.End()
	c.hangUp()
}
