package scenario_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Whoever steers a recording, and by whatever door, is in the audit file: who, when, by what, of which call, and what came of it.
func TestEveryDoorIsAudited(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	st := newStage(t, setup{http: fmt.Sprintf("audit: %q", file), rule: fmt.Sprintf(steering, "both", true), recorder: askers(""), srsNets: []string{"udp"}})
	sessions := st.srs().AcceptAll()
	c := st.establish(dialing{})
	if !peer.Eventually(func() bool {
		all := st.sys.recordings()
		return len(all) == 1 && all[0].str("state") == "recording"
	}) {
		t.Fatal("not recorded")
	}
	r := st.sys.recordings()[0]
	call, _ := r["call_id"].(string)
	var trail []item
	lines := func(n int) bool {
		return peer.Eventually(func() bool {
			b, _ := os.ReadFile(file)
			trail = nil
			for line := range strings.Lines(string(b)) {
				var i item
				if json.Unmarshal([]byte(line), &i) == nil {
					trail = append(trail, i)
				}
			}
			return len(trail) >= n
		})
	}
	target := "/api/v1/recordings/" + r.str("id")
	var want []string
	then := func(role, who, door, action, of, callID string, status int) {
		t.Helper()
		want = append(want, fmt.Sprintln(role, who, door, action+"Recording", of, callID, status))
		if !lines(len(want)) {
			t.Fatalf("%d lines, and no %s", len(trail), want[len(want)-1])
		}
	}
	steered := func(door, action string, status int) {
		t.Helper()
		then("caller", aliceAOR, door, action, target, call, status)
	}

	c.left.Send("INFO", peer.With("X-Sidetrack-Action", "pause")).Expect(200)
	steered("INFO", "pause", 200)
	c.left.Send("INFO", peer.With("X-AC-Action", "pause-siprec")).Expect(200)
	steered("INFO", "pause", 409)
	key(t, c.left, c.right, "*3", false)
	steered("keys", "resume", 200)
	key(t, c.right, c.left, "#4", false)
	then("callee", bobAOR, "keys", "mask", target, call, 200)
	c.sdpVersion++
	ask := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: c.a})), peer.With("X-Sidetrack-Action", "unmask"))
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: c.b})))
	c.left.Ack(ask.Expect(200))
	c.right.Expect("ACK")
	steered("INVITE", "unmask", 200)
	c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:pause"}}})
	steered("recordpref", "pause", 200)
	c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:on"}}})
	steered("recordpref", "resume", 200)                                                                    // and no start beside it
	c.apply(change{method: "UPDATE", fromCallee: true, offer: peer.Line{Extra: []string{"recordpref:on"}}}) // it is
	c.apply(change{method: "UPDATE", offer: peer.Line{Extra: []string{"recordpref:pause"}}})
	steered("recordpref", "pause", 200)
	if status, body := st.sys.do(http.MethodPost, target+"/resume"); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	then("admin", "local", "127.0.0.1", "resume", target+"/resume", "", 200)
	told := eventData(st)
	if status, body := st.sys.doBody(http.MethodPost, target+"/pause", `{"limit": "50ms"}`); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	either := len(want)
	then("admin", "local", "127.0.0.1", "pause", target+"/pause", "", 200)
	then("limit", "limit", "timer", "resume", target, call, 200)
	if !peer.Eventually(func() bool { return len(told("recording.resumed")) > 0 }) || told("recording.resumed")[0].str("reason") != "limit" {
		t.Errorf("of the end of a pause is told %v", told("recording.resumed"))
	}

	rs := sessions.Number(0)
	srs := func(direction, action string) {
		t.Helper()
		var each []peer.Line
		for _, label := range rs.Labels {
			each = append(each, peer.Line{Media: rs.Streams[label], Direction: direction, Label: label})
		}
		if !peer.Eventually(func() bool { // not while an update of ours is under way
			return rs.Dialog.Send("UPDATE", peer.WithSDP(peer.BuildSDP(100+len(want), each...))).ExpectFinal().Status() == 200
		}) {
			t.Fatalf("%s: refused", direction)
		}
		then("srs", st.srs().URI(""), "UPDATE", action, target, call, 200)
	}
	srs("inactive", "pause")
	srs("recvonly", "resume")
	st.srs().Ask(st.sys.SIP, "sip:nobody@"+st.sys.SIP.String()).Expect(404)
	then("srs", st.srs().Addr().String(), "INVITE", "start", "/api/v1/calls", "", 409)
	rs.Dialog.Send("BYE").Expect(200)
	then("srs", st.srs().URI(""), "BYE", "stop", target, call, 200)
	c.hangUp()

	var got []string
	for _, i := range trail {
		status, _ := i["status"].(float64)
		got = append(got, fmt.Sprintln(i.str("role"), i.str("who"), i.str("source"), i.str("action"), i.str("target"), i.str("call"), status))
		if i.str("time") == "" || (status != 200) != (i.str("detail") != "") {
			t.Errorf("no time, or no reason: %v", i)
		}
	}
	if len(got) > either+1 { // the limit may be over before the API has said that it paused
		slices.Sort(got[either : either+2])
		slices.Sort(want[either : either+2])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the audit file has\n%swanted\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}
