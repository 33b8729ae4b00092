package scenario_test

import (
	"regexp"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Calls that go well and wrong, an SRS that refuses, control over the API: at the level of debug no line tells a number,
// and the API tells all of them.
func TestNoNumberInTheLog(t *testing.T) {
	const caller, callee, diverted = "+4930123456789", "0049891234567", "15550100234"
	numbers := []string{caller[1:], callee[4:], diverted}
	st := newStage(t, setup{srs: 2, redact: "numbers", recorder: "    to_uri: sip:" + diverted + "@srs.example"})
	d := dialing{
		from: `"` + callee + `" <sip:` + caller + `@caller.test>`, uri: "sip:" + callee + "@pbx.test",
		opts: []peer.Opt{peer.With("Diversion", "<tel:+"+diverted+">;reason=no-answer"), peer.With("P-Asserted-Identity", "<sip:"+diverted+"@caller.test>")},
	}
	c := st.invite(d)
	c.in.Reply(486, peer.With("Warning", `399 pbx "`+callee+` is busy"`))
	st.callee.Expect("ACK")
	c.out.Expect(486)

	c = st.establish(d)
	st.srss[0].Expect("INVITE").Reply(503, peer.With("Reason", `SIP;cause=503;text="`+diverted+`"`))
	st.srss[0].Expect("ACK")
	rs := st.srss[1].Accept()
	c.recorded(rs, 5)
	_, calls := st.sys.get("/api/v1/calls")
	for _, n := range numbers[:2] {
		if !strings.Contains(string(calls), n) {
			t.Errorf("the API does not tell %s: %s", n, calls)
		}
	}
	id := st.sys.recordings()[0].str("id")
	st.sys.doBody("POST", "/api/v1/recordings/"+id+"/move", `{"srs": "sip:`+diverted+`@nowhere.example"}`)
	st.sys.doBody("POST", "/api/v1/recordings/"+diverted+"/pause", "")
	c.hangUp()
	rs.End()
	st.sys.Empty()

	log := st.sys.logged.tail(10_000)
	for _, n := range numbers {
		if strings.Contains(log, n) {
			t.Errorf("%s is in the log", n)
		}
	}
	if n := strings.Count(log, "***89@caller.test"); n == 0 {
		t.Error("no masked caller in the log")
	}
	if long := regexp.MustCompile(`[^a-z0-9]\+?[0-9]{9,14}[^0-9a-zA-Z]`).FindString(log); long != "" {
		t.Errorf("%q is in the log", long)
	}
}
