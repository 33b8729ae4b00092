package scenario_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// An SRS refreshes its session while we have paused it, and says again what was agreed: inactive. That is no wish of its
// own. After the resume nothing is missing, whenever and whatever it answers, and nobody has written a pause to its account.
func TestRefreshInAPause(t *testing.T) {
	for method, answer := range map[string]int{"INVITE": 200, "UPDATE": 500} {
		t.Run(fmt.Sprint(method, " ", answer), func(t *testing.T) {
			audit := filepath.Join(t.TempDir(), "audit.jsonl")
			st := newStage(t, setup{http: fmt.Sprintf("audit: %q", audit), srsNets: []string{"udp"}})
			c := st.establish(dialing{})
			rs := st.srs().Accept()
			c.recorded(rs, 10)
			path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
			<-post(st, path+"/pause", 200)
			directions(t, rs, "inactive", "inactive")

			again := rs.Dialog.Send(method, peer.WithSDP(rs.Answer()))
			ok := again.Expect(200)
			if method == "INVITE" {
				rs.Dialog.Ack(ok)
			}
			if n := strings.Count(string(ok.SDP()), "a=inactive"); n != 2 {
				t.Errorf("answered\n%s", ok.SDP())
			}
			c.heard(5)

			<-post(st, path+"/resume", 200)
			from := [2]int{c.a.Sent(), c.b.Sent()}
			in := rs.ExpectUpdate()
			c.heard(20)
			if answer == 200 {
				in.Reply(200, peer.WithSDP(rs.Answer()))
			} else {
				in.Reply(answer)
			}
			in.ExpectOther("ACK")
			c.recorded(rs, 10)
			gapless(t, rs.Streams["1"], from[0]+2, from[0]+20)
			gapless(t, rs.Streams["2"], from[1]+2, from[1]+20)
			c.hangUp()
			rs.End()
			var trail string
			if !peer.Eventually(func() bool {
				b, _ := os.ReadFile(audit)
				trail = string(b)
				return strings.Contains(trail, `"action":"resumeRecording"`)
			}) || strings.Contains(trail, `"role":"srs"`) {
				t.Errorf("the audit file has\n%s", trail)
			}
		})
	}
}
