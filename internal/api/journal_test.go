package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/api"
)

// journal is a Backend whose journal has one verdict and tells what it was asked.
func journal(asked *api.JournalQuery) api.Backend {
	b := double()
	b.Journal = func(_ context.Context, q api.JournalQuery) ([]any, string, error) {
		*asked = q
		switch q.Result {
		case "bad":
			return nil, "", fmt.Errorf("there is no result %q: %w", q.Result, api.ErrInvalid)
		case "none":
			return nil, "", nil
		}
		return []any{map[string]string{"id": "r1"}}, "bmV4dA", nil
	}
	return b
}

func TestJournal(t *testing.T) {
	var asked api.JournalQuery
	h := handler(journal(&asked))
	for _, tt := range []struct {
		query  string
		status int
		holds  string
	}{
		{"", 200, `{"items":[{"id":"r1"}],"next":"bmV4dA"}`},
		{"?result=none", 200, `{"items":[],"next":""}`},
		{"?result=bad", 400, "there is no result"},
		{"?since=yesterday", 400, "since must be a time"},
		{"?until=-1h", 400, "until must be a time"},
		{"?until=24", 400, "until must be a time"},
		{"?limit=1001", 400, "limit"},
		{"?cursor=!!", 400, "cursor"},
		{"?order=random", 400, "order is oldest or newest"},
	} {
		if a := ask(h, "GET", "/api/v1/journal"+tt.query, ""); a.status != tt.status || !strings.Contains(a.body, tt.holds) || wellFormed(a) != nil {
			t.Errorf("%s: %+v", tt.query, a)
		}
	}
	before := time.Now()
	ask(h, "GET", "/api/v1/journal?since=24h&until=2026-03-01T13:00:00%2B01:00&result=missed&recorder=main&limit=7&cursor=bmV4dA&order=newest", "")
	until := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if ago := before.Sub(asked.Since); ago > 24*time.Hour || ago < 24*time.Hour-time.Minute || !asked.Until.Equal(until) ||
		asked.Result != "missed" || asked.Recorder != "main" || asked.Limit != 7 || asked.Cursor != "bmV4dA" || !asked.Newest {
		t.Errorf("%+v", asked)
	}
	if a := ask(handler(double()), "GET", "/api/v1/journal", ""); a.status != 404 || !strings.Contains(a.body, "journal.file") {
		t.Errorf("without a journal: %+v", a)
	}
}

// Whatever is asked of the journal, the answer is a list or a problem document.
func FuzzJournalQuery(f *testing.F) {
	for _, q := range []string{"", "since=24h", "since=2026-03-01T12:00:00Z&until=1h", "since=9999999h", "result=bad", "limit=0", "cursor=%ff", "since=-1ns", "%"} {
		f.Add(q)
	}
	var asked api.JournalQuery
	h := handler(journal(&asked))
	f.Fuzz(func(t *testing.T, query string) {
		r := here("GET", "/api/v1/journal", nil)
		r.URL = &url.URL{Path: "/api/v1/journal", RawQuery: query}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		a := answer{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
		if a.status != 200 && a.status != 400 {
			t.Errorf("%q: %+v", query, a)
		}
		if err := wellFormed(a); err != nil {
			t.Errorf("%q: %v: %+v", query, err, a)
		}
	})
}
