package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

const steering = "controls: {by: %s, keys: {start: \"*1\", pause: \"*2\", resume: \"*3\", stop: \"**9\", mask: \"#4\", unmask: \"#5\"}, signalling: true, swallow: %v}"

// key has a party press keys, one INFO each; passed says whether the other party hears of them.
func key(t *testing.T, from, to *peer.Dialog, keys string, passed bool) {
	t.Helper()
	for _, k := range keys {
		out := from.Send("INFO", peer.WithBody("application/dtmf-relay", fmt.Appendf(nil, "Signal=%c\r\nDuration=160\r\n", k)))
		if passed {
			to.Expect("INFO").Reply(200)
		}
		out.Expect(200)
	}
}

// directions waits for an update of the session with these directions.
func directions(t *testing.T, rs *peer.Session, want ...string) {
	t.Helper()
	rs.Update()
	if got := rs.Directions(); !slices.Equal(got, want) {
		t.Errorf("offered %v, want %v", got, want)
	}
}

// The callee steers by keys: nothing is recorded before it starts, a pause ends and begins again, and after stop a new
// session may start. The caller may not, and its keys pass all the same.
func TestSteeredByKeys(t *testing.T) {
	st := newStage(t, setup{rule: "start: manual\n    " + fmt.Sprintf(steering, "callee", true), srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	key(t, c.left, c.right, "*1", true)
	if in := st.srs().Maybe("INVITE", 0); in != nil {
		t.Fatalf("the SRS got %s", in.Start)
	}
	key(t, c.right, c.left, "5*1", false)
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	key(t, c.right, c.left, "*2", false)
	directions(t, rs, "inactive", "inactive")
	if state := st.sys.recordings()[0].str("state"); state != "paused" {
		t.Errorf("the recording is %s", state)
	}
	key(t, c.right, c.left, "*2", false) // does nothing
	key(t, c.right, c.left, "*3", false)
	directions(t, rs, "sendonly", "sendonly")
	key(t, c.right, c.left, "#4", false)
	if !peer.Eventually(func() bool { return strings.Contains(st.sys.logged.tail(50), "recording masked") }) {
		t.Error("not masked")
	}
	key(t, c.right, c.left, "**9", false)
	rs.End()
	key(t, c.right, c.left, "*1", false)
	again := st.srs().Accept()
	if again.Doc().Sessions[0].ID == rs.Doc().Sessions[0].ID {
		t.Error("the new recording has the old one's id")
	}
	c.hangUp()
	again.End()
	if log := st.sys.logged.tail(2000); strings.Contains(log, "Signal=") || strings.Contains(log, "*1") {
		t.Error("the log tells keys")
	}
}

// Header fields: INFO is answered by the proxy, a re-INVITE goes on without our header, and who may not steer is passed on.
func TestSteeredBySignalling(t *testing.T) {
	st := newStage(t, setup{rule: fmt.Sprintf(steering, "caller", false), srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	c.left.Send("INFO", peer.With("X-Sidetrack-Action", "pause")).Expect(200)
	directions(t, rs, "inactive", "inactive")
	c.left.Send("INFO", peer.With("X-AC-Action", "resume-siprec;name=main")).Expect(200)
	directions(t, rs, "sendonly", "sendonly")

	for _, value := range []string{"pause;name=other", "dance", ";", "pause-"} { // nobody's: they go on
		out := c.left.Send("INFO", peer.With("X-Sidetrack-Action", value))
		in := c.right.Expect("INFO")
		if got := in.Get("X-Sidetrack-Action"); got != value {
			t.Errorf("the callee got %q, not %q", got, value)
		}
		in.Reply(403)
		out.Expect(403)
	}
	out := c.right.Send("INFO", peer.With("X-Sidetrack-Action", "pause")) // the callee may not
	c.left.Expect("INFO").Reply(200)
	out.Expect(200)

	c.sdpVersion++
	sdp := peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: c.a}))
	reinvite := c.left.Send("INVITE", sdp, peer.With("X-Sidetrack-Action", "pause"), peer.With("X-Case", "17"))
	in := c.right.Expect("INVITE")
	if in.Get("X-Sidetrack-Action") != "" || in.Get("X-Case") != "17" {
		t.Errorf("the callee got X-Sidetrack-Action %q, X-Case %q", in.Get("X-Sidetrack-Action"), in.Get("X-Case"))
	}
	in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: c.b})))
	c.left.Ack(reinvite.Expect(200))
	c.right.Expect("ACK")
	directions(t, rs, "inactive", "inactive")
	c.hangUp()
	rs.End()
}

// A party's pause ends at its limit.
func TestPauseLimit(t *testing.T) {
	st := newStage(t, setup{rule: "controls: {signalling: true, pause_limit: 300ms}", srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	c.right.Send("INFO", peer.With("X-Sidetrack-Action", "pause")).Expect(200)
	directions(t, rs, "inactive", "inactive")
	directions(t, rs, "sendonly", "sendonly")
	c.recorded(rs, 10)
	c.hangUp()
	rs.End()
}
