package scenario_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// Calls that go well and wrong, an SRS that refuses, a recording and a rule named by a number, control over the API: at the
// level of debug no line tells a number, nor does a span, and the API tells all of them.
func TestNoNumberInTheLog(t *testing.T) {
	const caller, callee, diverted = "+4930123456789", "0049891234567", "15550100234"
	numbers := []string{caller[1:], callee[4:], diverted}
	var told spans
	collector := httptest.NewServer(&told)
	defer collector.Close()
	st := newStageWith(t, setup{
		srs: 2, redact: "numbers", recorder: "    to_uri: sip:" + diverted + "@srs.example", rule: `name: "` + callee + `"`,
		more: fmt.Sprintf("tracing: {otlp: %q}", collector.URL),
	}, func(st *stage, s *setup) {
		s.srsURIs = st.srss[0].URI("") + ", " + strings.Replace(st.srss[1].URI(""), "sip:", "sip:"+diverted+"@", 1)
	})
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
	call := st.sys.list("/api/v1/calls")[0].str("id")
	started := ask(st, "/api/v1/calls/"+call+"/recordings", `{"recorder": "main", "name": "`+diverted+`"}`, 201)
	st.srss[0].Expect("INVITE").Reply(486, peer.With("Reason", `SIP;cause=486;text="`+diverted+`"`))
	st.srss[0].Expect("ACK")
	named := st.srss[1].Accept()
	<-started
	named.Streams["1"].AwaitFrom("alice", 0, 5)
	c.hangUp()
	rs.End()
	named.End()
	st.sys.Empty()
	st.sys.Stop() // what waits is sent

	log := st.sys.logged.tail(10_000)
	told.tree(t, 8) // two calls, two recordings, two SRSs asked for each
	for _, n := range numbers {
		if strings.Contains(log, n) {
			t.Errorf("%s is in the log", n)
		}
		if strings.Contains(told.raw, n) {
			t.Errorf("%s is in the spans", n)
		}
	}
	for _, masked := range []string{"recording ***34", "sip:***34@" + st.srss[1].Addr().String(), "***67", "***89@caller.test"} {
		if !strings.Contains(told.raw, masked) {
			t.Errorf("no %s in the spans", masked)
		}
	}
	if n := strings.Count(log, "***89@caller.test"); n == 0 {
		t.Error("no masked caller in the log")
	}
	if long := regexp.MustCompile(`[^a-z0-9]\+?[0-9]{9,14}[^0-9a-zA-Z]`).FindString(log); long != "" {
		t.Errorf("%q is in the log", long)
	}
}
