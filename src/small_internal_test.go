package src

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/metadata"
)

var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestHistory(t *testing.T) {
	var h history
	for i := range historySize + 10 {
		h.add(View{ID: fmt.Sprint(i)})
	}
	if len(h.all()) != historySize {
		t.Errorf("%d views kept", len(h.all()))
	}
	for id, want := range map[string]bool{"9": false, "10": true, "1009": true, "1010": false} {
		if _, ok := h.get(id); ok != want {
			t.Errorf("%s is there: %v", id, ok)
		}
	}
}

// The trouble of one SRS does not fill the log, and nothing is lost silently.
func TestLimiter(t *testing.T) {
	now := testTime
	l := newLimiter(func() time.Time { return now })
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	for range 5 {
		l.warn(log, "sip:a", "trouble")
		l.warn(log, "sip:b", "trouble")
		now = now.Add(300 * time.Millisecond)
	}
	if got := strings.Count(b.String(), "trouble"); got != 4 || strings.Count(b.String(), "untold=3") != 2 {
		t.Errorf("log:\n%s", b.String())
	}
}

func TestSessionExpires(t *testing.T) {
	for value, want := range map[string]string{
		"1800":                        "30m0s",
		"1800;refresher=uac":          "30m0s uac",
		" 90 ; x=y ; Refresher = UAS": "1m30s uas",
		"1":                           "2s",
		"":                            "none", "0": "none", "x": "none", "99999999999999999999": "none", "-5": "none",
	} {
		m := sip.NewRequest("UPDATE", "sip:x")
		m.Add("Session-Expires", value)
		got := "none"
		if interval, refresher, ok := sessionExpires(m); ok {
			got = strings.TrimSpace(interval.String() + " " + refresher)
		}
		if got != want {
			t.Errorf("%q: %s, wanted %s", value, got, want)
		}
	}
}

// The wait after a 491 to a request whose Call-ID is ours (RFC 3261 §14.1).
func TestGlareWait(t *testing.T) {
	for range 1000 {
		if d := glareWait(); d < 2100*time.Millisecond || d > 4*time.Second || d%(10*time.Millisecond) != 0 {
			t.Fatalf("wait %v", d)
		}
	}
}

// The JSON of a view is the API's.
func TestViewJSON(t *testing.T) {
	v := View{ID: "x", Attempts: []Attempt{{SRS: "sip:a", Code: 503, At: testTime, Took: Seconds(1500 * time.Millisecond)}}, Streams: []StreamView{}}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"id":"x"`, `"call":{"sip_call_id":"","from":"","to":""}`, `"streams":[]`,
		`"attempts":[{"srs":"sip:a","code":503,"at":"2026-03-01T12:00:00Z","took":1.500}]`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s lacks %s", b, part)
		}
	}
	if strings.Contains(string(b), `"ended"`) {
		t.Errorf("ended in a live view: %s", b)
	}
}

func BenchmarkView(b *testing.B) {
	s := &Session{recorder: &Recorder{}}
	s.shown = published{cs: &metadata.Snapshot{}, streams: make([]shownStream, 2), attempts: make([]Attempt, 1)}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.View()
	}
}

// A call that goes on remembers what it has lost, though the history of all calls has forgotten it.
func TestCallRemembersWhatHasEnded(t *testing.T) {
	k := &call{}
	c := &Client{calls: map[string]*call{"a": k, "b": {}}, live: map[string]*Session{}}
	for i := range maxPast + 2 {
		v := View{ID: fmt.Sprint("r", i), CallID: "a", Result: Failed, Started: testTime.Add(time.Duration(i) * time.Second)}
		k.remember(v, i == 0)
		c.ended.add(v)
	}
	for i := range historySize {
		c.ended.add(View{ID: fmt.Sprint("other", i), CallID: "gone", Result: Complete})
	}
	got := c.RecordingsOf([]string{"a", "b", "gone"})
	if len(got["a"]) != maxPast || got["a"][0].ID != "r2" || len(got["b"]) != 0 || len(got["gone"]) != historySize {
		t.Errorf("%d %d %d recordings", len(got["a"]), len(got["b"]), len(got["gone"]))
	}
	if with := c.CallsWith(metadata.StateEnded); len(with) != 1 || !with["a"] || c.States()["ended"] != maxPast+1 || len(c.CallsWith(metadata.StatePaused)) != 0 {
		t.Errorf("%v %v", with, c.States())
	}
	if lately := c.Lately(3); len(lately) != 0 {
		t.Errorf("%d that are whole", len(lately))
	}
	c.ended.add(View{ID: "bad", Result: Partial})
	if lately := c.Lately(3); len(lately) != 1 || lately[0].ID != "bad" {
		t.Errorf("%v", lately)
	}
}
