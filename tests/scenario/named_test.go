package scenario_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"sidetrack/tests/peer"
)

// ask has a goroutine put a question that may need the SRS's help before it is answered.
func ask(st *stage, path, body string, want int) <-chan item {
	answer := make(chan item, 1)
	go func() {
		defer close(answer)
		status, raw := st.sys.doBody("POST", path, body)
		var v item
		if err := json.Unmarshal(raw, &v); err != nil || status != want {
			st.t.Errorf("POST %s %s: %d %s", path, body, status, raw)
		}
		answer <- v
	}()
	return answer
}

// Recordings of one call by name: each has its own recorder, tracks and parameters, is found, paused and stopped by the
// name that it has in its call, and another may have that name then. The fifth stream is one too many.
func TestNamedRecordings(t *testing.T) {
	st := newStageWith(t, setup{srs: 2, noPolicy: true, timeout: "30s"}, func(st *stage, s *setup) {
		s.srsURIs = st.srss[0].URI("")
		s.recorder = fmt.Sprintf("  quality:\n    srs: %q\n    parameters: headers\n", st.srss[1].URI(""))
	})
	c := st.establish(dialing{})
	id := st.sys.list("/api/v1/calls")[0].str("id")
	recordings, named := "/api/v1/calls/"+id+"/recordings", "/api/v1/recordings/"+id+":"

	started := ask(st, recordings, `{"recorder": "quality", "name": "n1", "tracks": "caller", "parameters": {"agent": "7"}}`, 201)
	n1 := st.srss[1].Accept()
	if first := <-started; first.str("recorder") != "quality" || first.str("name") != "n1" || n1.Invite.Get("X-agent") != "7" || !slices.Equal(n1.Labels, []string{"1"}) {
		t.Errorf("n1 is %v, X-agent %q, labels %v", first, n1.Invite.Get("X-agent"), n1.Labels)
	}
	started = ask(st, recordings, `{"recorder": "main", "name": "Zoë's / 2", "tracks": "callee", "parameters": {"agent": "8"}}`, 201)
	n2 := st.srss[0].Accept()
	<-started
	if want := `<parameter name="agent">8</parameter>`; !strings.Contains(string(n2.Doc().Raw), want) || !slices.Equal(n2.Labels, []string{"2"}) {
		t.Errorf("no %s, or labels %v, in\n%s", want, n2.Labels, n2.Doc().Raw)
	}
	n1.Streams["1"].AwaitFrom("alice", 0, 5)
	n2.Streams["2"].AwaitFrom("bob", 0, 5)
	<-ask(st, recordings, `{"recorder": "main", "name": "n1"}`, 409)
	<-ask(st, recordings, `{"recorder": "nobody", "name": "n3"}`, 400)
	<-ask(st, recordings, `{"recorder": "main", "name": "a\r\nb"}`, 400)
	<-ask(st, recordings, fmt.Sprintf(`{"recorder": "main", "name": %q}`, strings.Repeat("n", 65)), 400)
	started = ask(st, recordings, `{"recorder": "main"}`, 201)
	n3 := st.srss[0].Accept()
	<-started
	<-ask(st, recordings, `{"recorder": "quality", "tracks": "caller"}`, 409)

	second := url.PathEscape("Zoë's / 2")
	paused := ask(st, named+second+"/pause", "", 200)
	n2.Update()
	if v := <-paused; v.str("state") != "paused" || v.str("name") != "Zoë's / 2" {
		t.Errorf("paused: %v", v)
	}
	stopped := ask(st, named+"n1/stop", "", 200)
	n1.End()
	ended := <-stopped
	if _, body := st.sys.get(named + second); !strings.Contains(string(body), `"state":"paused"`) {
		t.Errorf("the other one is %s", body)
	}
	<-ask(st, named+"n1/stop", "", 404)
	<-ask(st, "/api/v1/recordings/nocall:n1/stop", "", 404)
	started = ask(st, recordings, `{"recorder": "quality", "name": "n1", "tracks": "both"}`, 409) // 1 + 2 + 2
	<-started
	started = ask(st, recordings, `{"recorder": "quality", "name": "n1", "tracks": "callee"}`, 201)
	again := st.srss[1].Accept()
	if v := <-started; v.str("id") == ended.str("id") {
		t.Errorf("the same recording again: %v", v)
	}
	again.Streams["2"].AwaitFrom("bob", 0, 5)
	c.heard(5)
	c.quiet()
	c.hangUp()
	for _, rs := range []*peer.Session{n2, n3, again} {
		rs.End()
	}
}

// A tag is a parameter that a running recording gets, over the API, by signalling, or by keys: the SRS has it in an
// update, as metadata or as a header, and the view shows it.
func TestTags(t *testing.T) {
	for form, has := range map[string]func(*peer.Session, *peer.Incoming, string, string) bool{
		"metadata": func(rs *peer.Session, _ *peer.Incoming, name, value string) bool {
			return strings.Contains(string(rs.Doc().Raw), fmt.Sprintf(`<parameter name=%q>%s</parameter>`, name, value))
		},
		"headers": func(_ *peer.Session, in *peer.Incoming, name, value string) bool { return in.Get("X-"+name) == value },
	} {
		t.Run(form, func(t *testing.T) {
			st := newStage(t, setup{timeout: "30s", recorder: "    parameters: " + form,
				rule: `controls: {by: caller, signalling: true, keys: {tag: "*7"}}`})
			c := st.establish(dialing{})
			rs := st.srs().Accept()
			c.recorded(rs, 5)
			path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
			tagged := ask(st, path+"/tag", `{"parameters": {"agent": "7", "case": "a-1"}}`, 200)
			in := rs.Update()
			<-tagged
			if !has(rs, in, "agent", "7") || !has(rs, in, "case", "a-1") {
				t.Errorf("not tagged:\n%s", in.Raw)
			}
			c.left.Send("INFO", peer.With("X-Sidetrack-Action", `tag;name=main;parameter=mood;value="so; so"`)).Expect(200)
			if in = rs.Update(); !has(rs, in, "mood", "so; so") || !has(rs, in, "agent", "7") {
				t.Errorf("not tagged by INFO:\n%s", in.Raw)
			}
			key(t, c.left, c.right, "*7", true)
			in = rs.Update()
			shown := func() (out map[string]any) {
				out, _ = st.sys.recordings()[0]["parameters"].(map[string]any)
				return out
			}
			at, _ := shown()["tag"].(string)
			if at == "" || !has(rs, in, "tag", at) {
				t.Errorf("not tagged by keys with %q:\n%s", at, in.Raw)
			}
			tagged = ask(st, path+"/tag", `{"parameters": {"agent": "", "tag": "", "mood": ""}}`, 200)
			in = rs.Update()
			<-tagged
			if strings.Contains(string(in.Raw), "mood") || !has(rs, in, "case", "a-1") || len(shown()) != 1 {
				t.Errorf("still %v:\n%s", shown(), in.Raw)
			}
			<-ask(st, path+"/tag", fmt.Sprintf(`{"parameters": {"agent": %q}}`, strings.Repeat("7", 1025)), 400)
			c.recorded(rs, 5)
			c.over(rs)
		})
	}
}

// The events of OpenSIPS by their fields: E_SIPREC_START is told once, when an SRS has taken the session, however often
// that is updated, and E_SIPREC_STOP once.
func TestEventsAsOpenSIPSHasThem(t *testing.T) {
	st := newStage(t, setup{timeout: "30s"})
	told := eventData(st)
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	hold(c, rs)
	view, dlg := st.sys.recordings()[0], st.sys.list("/api/v1/calls")[0].str("id")
	c.over(rs)
	for _, kind := range []string{"recording.start", "recording.stop"} {
		var of []item
		if !peer.Eventually(func() bool { of = told(kind); return len(of) > 0 }) {
			t.Fatalf("no %s", kind)
		}
		want := map[string]string{"dlg_id": dlg, "dlg_callid": c.ok.CallID(), "callid": rs.Invite.CallID(), "session_id": view.str("id"),
			"server": st.srs().URI(""), "instance": "main", "recorder": "main"}
		for name, value := range want {
			if got := of[0].str(name); got != value {
				t.Errorf("%s: %s is %q, not %q", kind, name, got, value)
			}
		}
		if len(of) != 1 {
			t.Errorf("%d × %s", len(of), kind)
		}
	}
}

// eventData follows the events until the test ends; the function gives those of a type so far.
func eventData(st *stage) func(kind string) []item {
	st.t.Helper()
	req, err := http.NewRequest("GET", st.sys.HTTP+"/api/v1/events", nil)
	if err != nil {
		st.t.Fatal(err)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		st.t.Fatal(err)
	}
	var mu sync.Mutex
	all := map[string][]item{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewReader(resp.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return // the end may come within a line
			}
			data, ok := strings.CutPrefix(line, "data: ")
			if !ok {
				continue
			}
			var v item
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				st.t.Errorf("event data %s", data)
				continue
			}
			mu.Lock()
			all[v.str("type")] = append(all[v.str("type")], v)
			mu.Unlock()
		}
	}()
	st.t.Cleanup(func() {
		resp.Body.Close()
		<-done
	})
	return func(kind string) []item {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all[kind])
	}
}

// A party that may steer has the recording move to the next SRS; the call goes on in one session.
func TestMovedByAParty(t *testing.T) {
	st := newStage(t, setup{srs: 2, timeout: "30s", rule: "controls: {by: caller, signalling: true}"})
	c := st.establish(dialing{})
	rs := st.srss[0].Accept()
	c.recorded(rs, 5)
	c.left.Send("INFO", peer.With("X-Sidetrack-Action", "move")).Expect(200)
	next := st.srss[1].Accept()
	rs.End()
	sameSession(t, rs, next)
	c.recorded(next, 5)
	c.quiet()
	c.hangUp()
	next.End()
	st.result("complete")
}
