package store_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/store"
)

func TestQueries(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond})
	results := []store.Result{store.Complete, store.Partial, store.Refused, store.Failed, store.Skipped, store.Missed, store.Running, store.Skipped}
	for i, result := range results {
		v := verdict(i)
		v.Result = result
		if i == 7 { // nobody answered: there was nothing to record
			v.Answered = time.Time{}
		}
		if i%2 == 1 {
			v.Recorder = "second"
		}
		j.Add(v)
	}
	j.await("all rows", func() bool { return len(j.list(store.Query{})) == len(results) })
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	for name, tt := range map[string]struct {
		query store.Query
		want  string // the numbers of what is found
	}{
		"all":               {store.Query{}, "01234567"},
		"since":             {store.Query{Since: at(5)}, "567"},
		"until":             {store.Query{Until: at(2)}, "01"},
		"both":              {store.Query{Since: at(2), Until: at(4)}, "23"},
		"complete":          {store.Query{Result: store.Complete}, "0"},
		"skipped":           {store.Query{Result: store.Skipped}, "47"},
		"missed":            {store.Query{Result: store.Missed}, "2345"},
		"missed by one":     {store.Query{Result: store.Missed, Recorder: "second"}, "35"},
		"running":           {store.Query{Result: store.Running}, "6"},
		"nobody":            {store.Query{Recorder: "'; DROP TABLE recordings; --"}, ""},
		"all once more":     {store.Query{Limit: 8}, "01234567"},
		"in another zone":   {store.Query{Since: at(7).In(time.FixedZone("", 7200))}, "7"},
		"tagged":            {store.Query{Tag: "agent"}, "01234567"},
		"tagged so":         {store.Query{Tag: "agent=3"}, "3"},
		"tagged otherwise":  {store.Query{Tag: "agent="}, ""},
		"other tag":         {store.Query{Tag: "agen"}, ""},
		"tag of others":     {store.Query{Tag: `team=sales & "more"`, Limit: 5}, "01234|567"},
		"page after page 3": {store.Query{Limit: 3}, "012|345|67"},
		"page after page 4": {store.Query{Limit: 4}, "0123|4567"},
		"missed in pages":   {store.Query{Limit: 1, Result: store.Missed}, "2|3|4|5"},
		"missed or partial": {store.Query{Result: "missed,partial"}, "12345"},
		"newest first":      {store.Query{Limit: 3, Newest: true}, "765|432|10"},
		"newest in part":    {store.Query{Limit: 2, Newest: true, Result: "failed,partial,missed", Recorder: "second"}, "53|1"},
	} {
		t.Run(name, func(t *testing.T) {
			var pages []string
			for q := tt.query; ; {
				page, next, err := j.List(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				numbers := ""
				for _, v := range page {
					numbers += v.ID[len(v.ID)-1:]
				}
				pages = append(pages, numbers)
				if q.Cursor = next; next == "" {
					break
				}
			}
			if got := strings.Join(pages, "|"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	for _, q := range []store.Query{
		{Result: "good"}, {Result: "failed,"}, {Result: store.Result(strings.Repeat("failed,", 2000) + "failed")}, {Cursor: "%"}, {Cursor: base64.RawURLEncoding.EncodeToString([]byte("x y"))},
		{Cursor: base64.RawURLEncoding.EncodeToString([]byte("2026-03-01T12:00:00.000Z"))},
	} {
		if _, _, err := j.List(context.Background(), q); !errors.Is(err, store.ErrQuery) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := j.List(ctx, store.Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// Reasons counts alike recordings, of those that are asked for.
func TestReasons(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond})
	for i, why := range []string{"503", "503", "408", "503", ""} {
		v := verdict(i)
		v.Result, v.Reason = store.Failed, why
		switch i {
		case 3:
			v.Recorder = "second"
		case 4:
			v.Result = store.Complete
		}
		j.Add(v)
	}
	j.await("all rows", func() bool { return len(j.list(store.Query{})) == 5 })
	got, err := j.Reasons(context.Background(), store.Query{Result: "failed,partial", Until: noon.Add(3500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, r := range got {
		said = append(said, fmt.Sprintf("%s %s %s %d %v-%v", r.Recorder, r.Result, r.Reason, r.Count, r.First.Sub(noon), r.Last.Sub(noon)))
	}
	first := verdict(0).Recorder
	if want := first + " failed 503 2 0s-1s|second failed 503 1 3s-3s|" + first + " failed 408 1 2s-2s"; strings.Join(said, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(said, "|"), want)
	}
	if _, err := j.Reasons(context.Background(), store.Query{Result: "bad"}); !errors.Is(err, store.ErrQuery) {
		t.Errorf("%v", err)
	}
}

// FuzzQuery: whatever a query says, it is answered or refused as one.
func FuzzQuery(f *testing.F) {
	f.Add("missed", "main", "MjAyNi0wMy0wMVQxMjowMDowMC4wMDBaIHJlYw", int64(1), int64(2), 3)
	f.Add("", "", "", int64(0), int64(0), 0)
	f.Add("' OR 1", "\x00", "%", int64(-1<<62), int64(1<<62), -1)
	s, err := store.Open(store.Config{File: f.TempDir() + "/journal.db", FlushEvery: time.Millisecond})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close(context.Background()) })
	for i := range 20 {
		s.Add(verdict(i))
	}
	f.Fuzz(func(t *testing.T, result, recorder, cursor string, since, until int64, limit int) {
		q := store.Query{Result: store.Result(result), Recorder: recorder, Cursor: cursor, Limit: min(limit, 1000)}
		q.Since, q.Until = time.Unix(since, 0), time.Unix(until, 0)
		page, next, err := s.List(context.Background(), q)
		if err != nil && !errors.Is(err, store.ErrQuery) {
			t.Errorf("%+v: %v", q, err)
		}
		if next != "" && len(page) == 0 {
			t.Errorf("%+v: a next page behind an empty one", q)
		}
	})
}
