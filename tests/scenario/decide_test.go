package scenario_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// decider is a program that decides about recordings: each question waits until
// the scenario answers it.
func decider(t *testing.T) (url string, questions chan map[string]any, answers chan string) {
	t.Helper()
	questions, answers = make(chan map[string]any, 8), make(chan string, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q map[string]any
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		questions <- q
		select {
		case a := <-answers:
			_, _ = io.WriteString(w, a)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, questions, answers
}

// A program says no to a call that may only go on when it is recorded: the call
// waits for the answer, goes on, and no SRS hears of it.
func TestDecidedNo(t *testing.T) {
	url, questions, answers := decider(t)
	st := newStage(t, setup{rule: "required: true\n    decide: {url: " + url + ", timeout: 10s}", srsNets: []string{"udp"}})
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	q := <-questions
	if q["from"] != aliceAOR || q["rule"] != "rule-1" || q["sip_call_id"] != c.in.CallID() {
		t.Errorf("asked %v", q)
	}
	if early := c.out.Next(0); early != nil {
		t.Fatalf("before the answer the caller got %s", early.Start)
	}
	answers <- `{"record": false}`
	c.accepted(dialing{})
	c.hangUp()
	if in := st.srs().Maybe("INVITE", 0); in != nil {
		t.Errorf("the SRS got %s", in.Start)
	}
	if n := len(st.sys.recordings()); n != 0 {
		t.Errorf("%d recordings", n)
	}
	if n := st.sys.metric(`sidetrack_decisions_total{answer="skip"}`); n != 1 {
		t.Errorf("%v decisions counted", n)
	}
}

// A program that hangs does not hold the call up, which has been answered long
// before it speaks; then its headers and parameters are with the SRS.
func TestDecidedLate(t *testing.T) {
	url, questions, answers := decider(t)
	st := newStage(t, setup{rule: "decide: {url: " + url + ", timeout: 10s}", srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	<-questions
	if in := st.srs().Maybe("INVITE", 0); in != nil {
		t.Fatalf("the SRS got %s before the answer", in.Start)
	}
	answers <- `{"headers": {"X-Case": "17"}, "parameters": {"agent": "Zoë <7>"}}`
	rs := st.srs().Accept()
	if got := rs.Invite.Get("X-Case"); got != "17" {
		t.Errorf("X-Case: %q", got)
	}
	if want := `<parameter name="agent">Zoë &lt;7&gt;</parameter>`; !strings.Contains(string(rs.Docs[0].Raw), want) {
		t.Errorf("no %s in\n%s", want, rs.Docs[0].Raw)
	}
	c.recorded(rs, 10)
	c.over(rs)
}

// One that never answers: after its time the rule's word counts, and a required
// recording is made all the same.
func TestDecidedNever(t *testing.T) {
	url, questions, _ := decider(t)
	st := newStage(t, setup{rule: "required: true\n    decide: {url: " + url + ", timeout: 100ms}", srsNets: []string{"udp"}})
	c := st.invite(dialing{})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	<-questions
	rs := st.srs().Accept()
	c.accepted(dialing{})
	c.recorded(rs, 10)
	c.over(rs)
	if n := st.sys.metric(`sidetrack_decisions_total{answer="error"}`); n != 1 {
		t.Errorf("%v decisions counted", n)
	}
}
