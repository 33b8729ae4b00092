package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/store"
)

// kept is a journal with one recording of each result, an hour apart, the last an hour ago.
func kept(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "journal.db")
	s, err := store.Open(store.Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	for i, result := range []store.Result{store.Complete, store.Failed, store.Partial} {
		at := time.Now().Add(time.Duration(i-3) * time.Hour)
		s.Add(store.Verdict{
			ID: fmt.Sprintf("r%d", i+1), Recorder: "main", Started: at, Answered: at, Result: result, Reason: "because", SRS: "sip:s",
			Call: store.Call{From: "sip:a@x", To: "sip:b@x"}, Alarms: []string{"no-rtp"},
			Streams: []store.Stream{{PacketsIn: 5, PacketsCopied: 3, Lost: 2}, {PacketsIn: 2, PacketsCopied: 2}},
		})
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestJournal(t *testing.T) {
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if r.URL.Path != "/api/v1/journal" {
			t.Errorf("asked %s", r.URL.Path)
		}
		if r.URL.Query().Get("cursor") == "" {
			fmt.Fprint(w, `{"items":[{"id":"r1","result":"failed","started":"2026-03-01T12:00:00Z"}],"next":"p2"}`)
			return
		}
		fmt.Fprint(w, `{"items":[{"id":"r2","result":"complete"}],"next":""}`)
	}))
	defer api.Close()
	t.Setenv("SIDETRACK_API", api.URL)
	file := kept(t)
	for _, tt := range []struct {
		args     string
		status   int
		out, err string
	}{
		{"--since 24h", 0, "{\"id\":\"r1\",\"result\":\"failed\",\"started\":\"2026-03-01T12:00:00Z\"}\n{\"id\":\"r2\",\"result\":\"complete\"}\n", ""},
		{"--since 24h --json=false", 0, "STARTED              RESULT", ""},
		{"--result missed --recorder main", 0, `"r2"`, ""},
		{"--since noon", 1, "", "--since noon: write a duration"},
		{"--until -1h", 1, "", "--until -1h: write a duration"},
		{"--result bad", 1, "", "--result bad: write complete"},
		{"r1 --since 1h", 1, "", "unexpected argument \"r1\""},
		{"--since 1h --api 127.0.0.1:1", 1, "", "--journal FILE reads the journal itself"},
		{"--journal " + file, 0, `{"id":"r1"`, ""},
		{"--journal " + file + " --json=false --result missed", 0, "failed  main      sip:s  0.0      7        5       2     sip:a@x  sip:b@x  because (no-rtp)", ""},
		{"--journal " + file + " --since 90m", 0, `{"id":"r3"`, ""},
		{"--journal " + file + " --since 2000-01-01 --until 2000-01-02T00:00:00Z --json=false", 0, "REASON\n", ""},
		{"--journal " + file + "x", 1, "", "journal.dbx cannot be read: no such file or directory"},
	} {
		status, out, err := try(append([]string{"recordings"}, strings.Fields(tt.args)...)...)
		if status != tt.status || !holds(out, tt.out) || !holds(err, tt.err) {
			t.Errorf("sidetrack recordings %s: %d\nout: %s\nerr: %s", tt.args, status, out, err)
		}
	}
	all := strings.Join(asked, "\n")
	for _, want := range []string{"since=", "cursor=p2", "result=missed", "recorder=main", "limit=1000"} {
		if !strings.Contains(all, want) {
			t.Errorf("never asked %s:\n%s", want, all)
		}
	}
}
