package src_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Between two SRSs a session has neither: its lines do not name the one that it has lost.
func TestLineBetweenTwoSRSs(t *testing.T) {
	m := midCall(t, "udp", 2)
	m.recs[1].AutoReply("INVITE", 480)
	m.s.Dialog.Bye(peer.With("Reason", `SIP;cause=503;text="going down"`))
	line := ""
	if !peer.Eventually(func() bool {
		for l := range strings.Lines(m.r.log.String()) {
			if strings.Contains(l, "the SRSs are asked later") {
				line = l
			}
		}
		return line != ""
	}) {
		t.Fatal("the second SRS has not refused")
	}
	if !strings.Contains(line, " recording=") || strings.Contains(line, " srs=") || strings.Contains(line, " sip_call_id=") {
		t.Errorf("who is that? %s", line)
	}
	m.c.end()
}
