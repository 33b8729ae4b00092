package app_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The API over a running call: read it, pause, resume and stop its recording,
// start another; every field that is shown is in the paper.
func TestAPIOverACall(t *testing.T) {
	s := open(t)
	left, right := s.call()
	var recording, call map[string]any
	s.eventually("it is being recorded", func() bool {
		list := s.items("/api/v1/recordings")
		if len(list) == 1 {
			recording = list[0]
		}
		return len(list) == 1 && recording["state"] == "recording"
	})
	call = s.items("/api/v1/calls")[0]
	if call["state"] != "answered" || recording["call_id"] != call["id"] ||
		!slices.Equal(call["recordings"].([]any), []any{recording["id"]}) {
		t.Errorf("call %v\nrecording %v", call, recording)
	}
	documented(t, "call", call)
	documented(t, "recording", recording)

	rec := "/api/v1/recordings/" + recording["id"].(string)
	for _, tt := range []struct {
		path, body string
		status     int
		holds      string
	}{
		{rec + "/resume", "", 409, "not possible"},
		{rec + "/pause", "", 200, `"state":"paused"`},
		{rec + "/pause", "", 409, "not possible"},
		{rec + "/resume", "", 200, ""},
		{rec + "/move", `{"srs":"sip:elsewhere"}`, 400, "elsewhere"},
		{"/api/v1/srs/main/0/drain", "", 200, `"state":"drained"`},
		{"/api/v1/srs/main/0/enable", "", 200, `"state":"fit"`},
		{"/api/v1/srs/other/0/enable", "", 404, "other"},
		{rec + "/stop", "", 200, `"state":"ended"`},
		{rec + "/stop", "", 409, "ended"},
		{"/api/v1/recordings/none/stop", "", 404, "none"},
		{"/api/v1/calls/none/recordings", `{"recorder":"main"}`, 404, "none"},
		{"/api/v1/calls/" + call["id"].(string) + "/recordings", `{"recorder":"none"}`, 400, "none"},
		{"/api/v1/calls/" + call["id"].(string) + "/recordings", `{"recorder":"main","name":"n1","tracks":"caller"}`, 201, `"name":"n1"`},
	} {
		if status, body := s.post(tt.path, tt.body); status != tt.status || !strings.Contains(body, tt.holds) {
			t.Errorf("POST %s %s: %d %s", tt.path, tt.body, status, body)
		}
	}
	for path, holds := range map[string]string{
		"/api/v1/recorders": `"strategy":"ordered"`, "/api/v1/rules": `"kind":"recording"`, "/api/v1/config": `"file":"test.yaml"`, "/api/v1/srs": `"index":0`,
	} {
		if status, body := s.get(path); status != 200 || !strings.Contains(body, holds) {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{"/api/v1/calls/none", "/api/v1/recordings/none"} {
		if status, body := s.get(path); status != 404 || !strings.Contains(body, "no such call or recording") {
			t.Errorf("GET %s: %d %s", path, status, body)
		}
	}
	if status, body := s.get("/api/v1/calls/" + call["id"].(string)); status != 200 || strings.Count(body, recording["id"].(string)) != 1 {
		t.Errorf("GET call: %d %s", status, body)
	}
	s.eventually("the second recording runs", func() bool { return s.sessions.Taken() == 2 })
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	s.eventually("all ended", func() bool { return s.sessions.Ended() == 2 && len(s.items("/api/v1/calls")) == 0 })
	if got := s.items("/api/v1/recordings"); len(got) != 2 || got[0]["result"] != "partial" {
		t.Errorf("recently ended: %v", got)
	}
}

// documented checks that each field is named in docs/api.md.
func documented(t *testing.T, what string, v any) {
	t.Helper()
	paper, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if !strings.Contains(string(paper), "`"+name+"`") {
				t.Errorf("docs/api.md does not tell of %q of a %s", name, what)
			}
			documented(t, what+"'s "+name, value)
		}
	case []any:
		for _, value := range v {
			documented(t, what, value)
		}
	}
}
