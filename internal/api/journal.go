package api

import (
	"context"
	"net/http"
	"time"
)

// JournalQuery says which verdicts of the journal are wanted. What is zero does
// not matter.
type JournalQuery struct {
	Since, Until     time.Time
	Result, Recorder string // of results several with commas between
	Tag              string // a parameter that they have: NAME, or NAME=VALUE
	Newest           bool   // the newest first
	Limit            int
	Cursor           string // as the page before gave it; checked by the journal
}

// journal is GET /api/v1/journal.
func (b Backend) journal(w http.ResponseWriter, r *http.Request) {
	askJournal(w, r, b.Journal != nil, func(ctx context.Context, q JournalQuery) (any, error) {
		items, next, err := b.Journal(ctx, q)
		if items == nil {
			items = []any{}
		}
		return page{Items: items, Next: next}, err
	})
}

// reasons is GET /api/v1/journal/reasons.
func (b Backend) reasons(w http.ResponseWriter, r *http.Request) {
	askJournal(w, r, b.Reasons != nil, func(ctx context.Context, q JournalQuery) (any, error) {
		items, err := b.Reasons(ctx, q)
		return map[string]any{"items": items}, err
	})
}

// askJournal answers with what is found for the request's query.
func askJournal(w http.ResponseWriter, r *http.Request, kept bool, find func(context.Context, JournalQuery) (any, error)) {
	if !kept {
		problem(w, http.StatusNotFound, "no journal is kept: the configuration has no journal.file")
		return
	}
	q, wrong := journalQuery(r, time.Now())
	if wrong != "" {
		problem(w, http.StatusBadRequest, wrong)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	found, err := find(ctx, q)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, found)
}

func journalQuery(r *http.Request, now time.Time) (q JournalQuery, wrong string) {
	if q.Limit, _, wrong = pageOf(r); wrong != "" {
		return q, wrong
	}
	values := r.URL.Query()
	q.Result, q.Recorder, q.Tag, q.Cursor = values.Get("result"), values.Get("recorder"), values.Get("tag"), values.Get("cursor")
	switch order := values.Get("order"); order {
	case "", "oldest":
	case "newest":
		q.Newest = true
	default:
		return q, "order is oldest or newest"
	}
	for name, at := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if s := values.Get(name); s != "" {
			var ok bool
			if *at, ok = instant(s, now); !ok {
				return q, name + " must be a time such as 2026-03-01T12:00:00Z, or a duration such as 24h for so long ago"
			}
		}
	}
	return q, ""
}

// instant reads a time, or a duration as so long ago.
func instant(s string, now time.Time) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, true
	}
	d, err := time.ParseDuration(s)
	return now.Add(-d), err == nil && d >= 0
}
