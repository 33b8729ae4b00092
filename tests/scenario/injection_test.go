package scenario_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"sidetrack/tests/peer"
)

// evil is what somebody writes who hopes that it is read as something else: XML, a template, a path, an environment
// variable, a header.
const evil = `</name></nameID><evil/>]]>&evil; "x" {{.CallID}} ${HOME} $(id) ../../../etc/passwd %0d%0aX-Evil: 1`

// literal tells whether a document has evil in it as text, and nothing that was made of it.
func literal(t *testing.T, what string, doc []byte, texts int) {
	t.Helper()
	n := 0
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v in\n%s", what, err, doc)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if token.Name.Local == "evil" {
				t.Errorf("%s: an element was smuggled in\n%s", what, doc)
			}
			for _, a := range token.Attr {
				if strings.Contains(a.Value, evil) {
					n++
				}
			}
		case xml.CharData:
			if strings.Contains(string(token), evil) {
				n++
			}
		}
	}
	if n < texts {
		t.Errorf("%s: %d times in the text, not %d, of\n%s", what, n, texts, doc)
	}
}

// unharmed tells that an INVITE to an SRS has the headers that we wrote, each once.
func unharmed(t *testing.T, what string, in *peer.Incoming) {
	t.Helper()
	for _, name := range []string{"From", "To", "Contact", "Call-ID", "CSeq", "Require", "Content-Type", "Content-Length"} {
		if all := in.All(name); len(all) != 1 {
			t.Errorf("%s: %s is %q", what, name, all)
		}
	}
	if got := in.Get("X-Evil"); got != "" || in.Get("Require") != "siprec" || strings.Contains(in.Get("Contact"), "evil") {
		t.Errorf("%s: X-Evil %q in\n%s", what, got, in.Raw)
	}
}

// Display names, header values, what the API is given and what a program that decides answers stay text, wherever they
// go: headers and XML to the SRS, templates, the API, events, webhooks, the log.
func TestNothingIsInjected(t *testing.T) {
	var mu sync.Mutex
	var hooked []item
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v item
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil || r.Header.Get("X-Evil") != "" {
			t.Errorf("webhook: %v, %v", r.Header, err)
		}
		mu.Lock()
		hooked = append(hooked, v)
		mu.Unlock()
		w.Header().Set("Retry-After", "{{.CallID}} ../../x")
		w.Header().Set("Location", "file:///etc/passwd")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(hook.Close)
	decides, questions, answers := decider(t)
	st := newStageWith(t, setup{timeout: "30s"}, func(st *stage, s *setup) {
		s.rule = "decide: {url: " + decides + ", timeout: 10s}"
		s.more = fmt.Sprintf("webhooks: {queue: %q, hooks: [{name: crm, url: %q, secret: 0123456789abcdef}]}", t.TempDir(), hook.URL)
		s.recorder = `    headers: {X-Name: "{{.From.Display}}", X-Queue: '{{.Header "X-Queue"}}'}
    session_extension: '<x:q xmlns:x="urn:example:x" a="{{.Header "X-Queue"}}">{{.Header "X-Queue"}}</x:q>'
    caller: '<nameID aor="{{.From.URI}}"><name>{{.From.Display}}</name></nameID>'
  other: {srs: "` + st.srs().URI("") + `", group: "{{.From.Display}}", parameters: headers}`
	})
	told := eventData(st)
	dialled := dialing{from: `"` + strings.ReplaceAll(evil, `"`, `\"`) + `" <sip:alice@caller.test>`, opts: []peer.Opt{peer.With("X-Queue", evil)}}
	broken := "a\r\nX-Evil: 1"
	particulars := map[string]any{"group": evil,
		"headers":    map[string]string{"X-Case": evil, "X-Break": broken, broken: "1", "Contact": "<sip:evil@evil.test>", "Require": "evil", "via": "evil"},
		"parameters": map[string]string{"agent": evil, evil[:64]: "1", "break": broken}}
	say := func(v map[string]any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}

	c := st.establish(dialled)
	<-questions
	answers <- say(particulars)
	decided := st.srs().Accept()
	unharmed(t, "decided", decided.Invite)
	literal(t, "decided", decided.Doc().Raw, 5) // a name, the group, the extension twice, a parameter
	for _, name := range []string{"X-Name", "X-Queue", "X-Case"} {
		if got := decided.Invite.Get(name); got != evil {
			t.Errorf("%s: %q", name, got)
		}
	}
	name := evil[:60]
	particulars["recorder"], particulars["name"], particulars["tracks"] = "other", name, "caller"
	id := st.sys.list("/api/v1/calls")[0].str("id")
	started := ask(st, "/api/v1/calls/"+id+"/recordings", say(particulars), 201)
	asked := st.srs().Accept()
	<-started
	unharmed(t, "asked for", asked.Invite)
	literal(t, "asked for", asked.Doc().Raw, 2)
	if got := asked.Invite.Get("X-agent"); got != evil || asked.Invite.Get("X-break") != "" {
		t.Errorf("X-agent: %q", got)
	}
	tagged := ask(st, "/api/v1/recordings/"+url.PathEscape(id+":"+name)+"/tag", say(map[string]any{"parameters": map[string]string{"mood": evil, "more": broken}}), 200)
	in := asked.Update()
	<-tagged
	unharmed(t, "tagged", in)
	if got := in.Get("X-mood"); got != evil {
		t.Errorf("X-mood: %q", got)
	}
	c.recorded(decided, 5)
	c.quiet()
	c.hangUp()
	decided.End()
	asked.End()

	for _, answer := range []string{`{"recorders": ["../../main"]}`, `{"recorders": ["{{.CallID}}", "main"]}`, `{"tracks": "{{.CallID}}"}`} {
		c := st.establish(dialing{})
		<-questions
		answers <- answer
		c.over(st.srs().Accept()) // as the rule says
	}
	if n := st.sys.metric(`sidetrack_decisions_total{answer="error"}`); n != 3 {
		t.Errorf("%v answers not understood", n)
	}
	if _, metrics := st.sys.get("/metrics"); strings.Contains(string(metrics), "evil") || strings.Contains(string(metrics), "../") {
		t.Errorf("metrics:\n%s", metrics)
	}
	if !peer.Eventually(func() bool { return len(told("recording.stop")) == 5 }) {
		t.Errorf("%d recordings have ended", len(told("recording.stop")))
	}
	if events := told("recording.tagged"); len(events) != 1 || events[0].str("instance") != name {
		t.Errorf("told %v", events)
	}
	if !peer.Eventually(func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(hooked, func(v item) bool { return v.str("type") == "recording.tagged" && v.str("instance") == name })
	}) {
		t.Errorf("the webhook got %v", hooked)
	}
	for line := range strings.Lines(st.sys.logged.tail(100_000)) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("in the log: %q", line)
		}
	}
}
