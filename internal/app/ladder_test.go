package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// The ladder of a call, while it lives and after: both legs and the recording, in order, keys and
// numbers hidden as asked; the capture of the same.
func TestLadder(t *testing.T) {
	s := open(t)
	left, right := s.call()
	id := s.items("/api/v1/calls")[0]["id"].(string)
	s.eventually("it is recorded", func() bool { return s.items("/api/v1/recordings")[0]["state"] == "recording" })
	check := func(least int) {
		t.Helper()
		status, body := s.get("/api/v1/calls/" + id + "/ladder")
		var l struct {
			CallID   string `json:"call_id"`
			Messages []struct{ Direction, Party, From, To, Summary, Message string }
		}
		if err := json.Unmarshal([]byte(body), &l); err != nil || status != 200 || l.CallID != id || len(l.Messages) < least {
			t.Fatalf("%d %v %s", status, err, body)
		}
		var story []string
		for _, m := range l.Messages {
			story = append(story, m.Direction+" "+m.Party+" "+m.Summary)
			if m.Direction == "sent" && m.From != s.sip().String() && !strings.HasPrefix(m.Party, "SRS") || !strings.Contains(m.Message, "Call-ID") {
				t.Errorf("%+v", m)
			}
		}
		text := strings.Join(story, "\n")
		rest := text
		for _, want := range []string{
			"received caller INVITE SDP", "sent callee INVITE SDP", "received callee 200 OK (INVITE) SDP", "sent caller 200 OK (INVITE) SDP",
			"sent SRS of main INVITE SDP+metadata", "received SRS of main 200 OK (INVITE) SDP",
		} {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Errorf("no %q in its place in\n%s", want, text)
				continue
			}
			rest = after
		}
	}
	check(9)
	if status, text := s.get("/api/v1/calls/" + id + "/ladder?format=text"); status != 200 || !strings.Contains(text, "sidetrack") || !strings.Contains(text, "|-- INVITE SDP -") {
		t.Errorf("%d\n%s", status, text)
	}
	if _, body := s.get("/api/v1/calls/" + id + "/ladder?redact=true"); strings.Contains(body, "bob@") || !strings.Contains(body, "xxx@") {
		t.Errorf("redacted: %s", body)
	}
	for path, want := range map[string]int{
		"/api/v1/calls/" + id + "/ladder?format=svg": 400, "/api/v1/calls/" + id + "/pcap?redact=perhaps": 400,
		"/api/v1/calls/none/ladder": 404, "/api/v1/calls/none/pcap": 404,
	} {
		if status, body := s.get(path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := s.get("/api/v1/calls/" + id + "/pcap"); status != http.StatusOK || !strings.HasPrefix(body, "\xd4\xc3\xb2\xa1") || strings.Count(body, "INVITE sip:") < 3 {
		t.Errorf("capture: %d, %d bytes", status, len(body))
	}
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	s.eventually("the call is over", func() bool { return s.sessions.Ended() == 1 && len(s.items("/api/v1/calls")) == 0 })
	check(15)
}

// Without memory for them no messages are kept, and a call's ladder says so.
func TestNoLadder(t *testing.T) {
	s := open(t, "drain: 30s", "trace: 0\n  drain: 0s")
	s.call()
	id := s.items("/api/v1/calls")[0]["id"].(string)
	if status, body := s.get("/api/v1/calls/" + id + "/ladder"); status != 404 || !strings.Contains(body, "sip.trace") {
		t.Errorf("%d %s", status, body)
	}
}
