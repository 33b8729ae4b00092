package scenario_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// What the YAML says of a recorder is in its INVITE.
func TestRecorderKnobs(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}, timeout: "30s", recorder: `
    headers: {X-Tenant: acme, X-Caller: "{{.From.User}}", X-Queue: '{{.Header "X-Queue"}}'}
    from_uri: sip:src@sidetrack.test
    to_uri: sip:rec@srs.test
    group: "sales & co"
    group_extension: '<cc:id xmlns:cc="urn:example:cc">17</cc:id>'
    session_extension: '<cc:code xmlns:cc="urn:example:cc">{{.CallID}}</cc:code>'
    caller: '<nameID aor="sip:agent-{{.From.User}}@x"><name>One</name></nameID>'
    callee: '<nameID aor="sip:queue-{{.To.User}}@x"><name>Two</name></nameID>'`})
	c := st.establish(dialing{opts: []peer.Opt{peer.With("X-Queue", "vip")}})
	rs := st.srs().Accept()
	in := rs.Invite
	for name, want := range map[string]string{"X-Tenant": "acme", "X-Caller": "alice", "X-Queue": "vip"} {
		if got := in.Get(name); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if from, to := peer.URIOf(in.Get("From")), peer.URIOf(in.Get("To")); from != "sip:src@sidetrack.test" || to != "sip:rec@srs.test" {
		t.Errorf("From %s, To %s", from, to)
	}
	doc := rs.Docs[0]
	for element, wants := range map[string][]string{
		"group": {"sales &amp; co", `urn:example:cc">17</cc:id>`}, "session": {`urn:example:cc">` + c.in.CallID() + "</cc:code>"},
	} {
		_, rest, _ := strings.Cut(string(doc.Raw), "<"+element+" ")
		inside, _, _ := strings.Cut(rest, "</"+element+">")
		for _, want := range wants {
			if !strings.Contains(inside, want) {
				t.Errorf("no %s in <%s> of\n%s", want, element, doc.Raw)
			}
		}
	}
	if got := doc.Sender("1") + " " + doc.Sender("2"); got != "sip:agent-alice@x sip:queue-bob@x" {
		t.Errorf("sent by %s", got)
	}
	line := peer.Line{Direction: "inactive"}
	c.apply(change{method: "INVITE", offer: line, answer: line})
	if update := rs.Update(); update.Get("X-Tenant") != "acme" || update.Get("X-Queue") != "vip" {
		t.Errorf("the re-INVITE has X-Tenant %q, X-Queue %q", update.Get("X-Tenant"), update.Get("X-Queue"))
	}
	other := st.establish(dialing{})
	second := st.srs().Accept()
	if len(doc.Groups) != 1 || len(second.Docs[0].Groups) != 1 || doc.Groups[0].ID != second.Docs[0].Groups[0].ID {
		t.Errorf("two calls of a group are in %+v and %+v", doc.Groups, second.Docs[0].Groups)
	}
	for _, end := range []struct {
		c  *call
		rs *peer.Session
	}{{other, second}, {c, rs}} {
		end.c.hangUp()
		end.rs.End()
	}
}

// tracks: caller or callee records one direction, under its own label.
func TestTracks(t *testing.T) {
	for track, want := range map[string]struct{ label, party string }{"caller": {"1", "alice"}, "callee": {"2", "bob"}} {
		t.Run(track, func(t *testing.T) {
			st := newStage(t, setup{srsNets: []string{"udp"}, rule: "tracks: " + track})
			c := st.establish(dialing{})
			rs := st.srs().Accept()
			if !slices.Equal(rs.Labels, []string{want.label}) {
				t.Errorf("labels %v", rs.Labels)
			}
			rs.Streams[rs.Labels[0]].AwaitFrom(want.party, 0, 10)
			c.quiet()
			c.hangUp()
			rs.End()
			c.judge(rs)
		})
	}
}

// Above max_calls a call is refused with the time after which to try again.
func TestMaxCalls(t *testing.T) {
	st := newStage(t, setup{noPolicy: true, sip: "max_calls: 1"})
	c := st.establish(dialing{quiet: true})
	refused := st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR}).ExpectFinal()
	if refused.Status() != 503 || refused.Get("Retry-After") == "" {
		t.Errorf("got %s, Retry-After %q", refused.Start, refused.Get("Retry-After"))
	}
	c.hangUp()
	st.sys.Empty()
	st.establish(dialing{quiet: true}).hangUp()
}

// A call whose media has stopped on both sides is ended; a held one is not.
func TestSilentCallIsEnded(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}, mediaTimeout: "1s"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.quiet()
	c.left.AnswerBye()
	c.right.AnswerBye()
	rs.End()
}

// The route's targets are tried in order; the second gets the call when the first is dead.
func TestRouteFailsOver(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			st := newStage(t, setup{noPolicy: true,
				to: "sip:" + deadPort(t) + ";transport=" + network + ", sip:%s;transport=" + network})
			c := st.establish(dialing{})
			c.heard(5)
			c.hangUp()
		})
	}
}

// to: request-uri sends the call where its Request-URI points.
func TestRouteByRequestURI(t *testing.T) {
	st := newStage(t, setup{noPolicy: true, to: "request-uri"})
	c := st.establish(dialing{uri: "sip:bob@" + st.callee.Addr().String()})
	c.heard(5)
	c.hangUp()
}

// A recording begun over the API in mid-call, with its events.
func TestRecordingOnDemand(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}, noPolicy: true})
	seen := events(st)
	c := st.establish(dialing{})
	c.heard(5)
	id := st.sys.list("/api/v1/calls")[0].str("id")
	start := func(want int) <-chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			status, body := st.sys.doBody("POST", "/api/v1/calls/"+id+"/recordings", `{"recorder": "main", "name": "n1", "tracks": "both"}`)
			if status != want {
				t.Errorf("start: %d %s", status, body)
			}
		}()
		return done
	}
	started := start(http.StatusCreated)
	rs := st.srs().Accept()
	<-started
	c.recorded(rs, 10)
	<-start(http.StatusConflict) // the name is taken
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
	for _, want := range []string{"call.start", "recording.start", "recording.stop", "call.stop"} {
		if !peer.Eventually(func() bool { return slices.Contains(seen(), want) }) {
			t.Errorf("no %s among %v", want, seen())
		}
	}
}

// events follows the event stream until the test ends; the function gives the names so far.
func events(st *stage) func() []string {
	st.t.Helper()
	req, err := http.NewRequest("GET", st.sys.HTTP+"/api/v1/events", nil)
	if err != nil {
		st.t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		st.t.Fatal(err)
	}
	names := &logBuffer{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewReader(resp.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return // the end may come within a line
			}
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				_, _ = names.Write([]byte(name))
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok && !json.Valid([]byte(data)) {
				st.t.Errorf("event data %s", data)
			}
		}
	}()
	st.t.Cleanup(func() {
		resp.Body.Close()
		<-done
	})
	return func() []string { return strings.Fields(names.tail(100)) }
}
