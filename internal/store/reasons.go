package store

import (
	"context"
	"database/sql"
	"time"
)

// Reason is how many recordings of a recorder have ended in the same way, for
// the same reason.
type Reason struct {
	Recorder string    `json:"recorder"`
	Result   Result    `json:"result"`
	Reason   string    `json:"reason"`
	Count    int       `json:"count"`
	First    time.Time `json:"first"` // when the first of them began
	Last     time.Time `json:"last"`  // when the last did
}

// maxReasons bounds the answer: what an SRS says is text of others.
const maxReasons = 100

// Reasons counts what q wants by recorder, result and reason, the most frequent
// first. Limit, Cursor and Newest do not matter.
func (r *Reader) Reasons(ctx context.Context, q Query) ([]Reason, error) {
	q.Cursor = ""
	where, args, err := q.where()
	if err != nil {
		return nil, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	rows, err := r.read.QueryContext(ctx, `SELECT recorder, result, reason, count(*) AS n, min(started), max(started) FROM recordings`+where+
		` GROUP BY recorder, result, reason ORDER BY n DESC, max(started) DESC LIMIT ?`, append(args, maxReasons)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (Reason, error) {
		var v Reason
		err := rows.Scan(&v.Recorder, &v.Result, &v.Reason, &v.Count, (*moment)(&v.First), (*moment)(&v.Last))
		return v, err
	})
}
