package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Reader reads a journal, whoever writes it. Its methods may be called from any
// goroutine.
type Reader struct {
	file string
	mu   sync.RWMutex // held to write while the file is opened anew
	read *sql.DB
}

// OpenReader opens a journal for reading. The error is one line that names the
// file.
func OpenReader(ctx context.Context, file string) (*Reader, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, unopenedRead(file, err)
	}
	r, err := reader(file)
	if err != nil {
		return nil, err
	}
	version, err := versionOf(ctx, r.read)
	switch {
	case err != nil:
	case version == 0:
		err = fmt.Errorf("it is empty: %w", ErrVersion)
	case version != len(migrations):
		err = fmt.Errorf("its schema has version %d, this program reads %d: %w", version, len(migrations), ErrVersion)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file, err), r.Close())
	}
	return r, nil
}

func unopenedRead(file string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s cannot be read: %w", file, err)
}

func reader(file string) (*Reader, error) {
	db, err := readable(file)
	if err != nil {
		return nil, err
	}
	return &Reader{file: file, read: db}, nil
}

func readable(file string) (*sql.DB, error) {
	db, err := database(file, "ro", fmt.Sprintf("busy_timeout(%d)", busyTime.Milliseconds()), "query_only(1)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	return db, nil
}

// reopen reads the file that has the name now, from the next query on.
func (r *Reader) reopen() error {
	db, err := readable(r.file)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.read
	r.read = db
	return before.Close()
}

// Close ends all reading.
func (r *Reader) Close() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.read.Close()
}

// Query says which recordings are wanted. What is zero does not matter.
type Query struct {
	Since, Until time.Time // of Started: from Since on, before Until
	Result       Result    // one, or several with commas between; Missed: every call that was answered, wanted and not recorded
	Recorder     string
	Tag          string // a parameter that it has: NAME, or NAME=VALUE
	Newest       bool   // the newest first
	Limit        int    // of one page; 0: 100
	Cursor       string // next of the page before
}

// ErrQuery is wrapped by errors of a Query.
var ErrQuery = errors.New("invalid query")

// List returns one page of verdicts in the order in which the recordings were
// asked for, or the other way round, and the cursor of the next page, "" at the
// end.
func (r *Reader) List(ctx context.Context, q Query) (page []Verdict, next string, err error) {
	where, args, err := q.where()
	if err != nil {
		return nil, "", err
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	tx, err := r.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one snapshot for all three tables
	if err != nil {
		return nil, "", err
	}
	defer tx.Rollback()
	order := ` ORDER BY started, id LIMIT ?`
	if q.Newest {
		order = ` ORDER BY started DESC, id DESC LIMIT ?`
	}
	rows, err := tx.QueryContext(ctx, selectRecordings+where+order, append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	if page, err = collect(rows, scanRecording); err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = cursorAt(page[limit-1])
	}
	return page, next, details(ctx, tx, page)
}

func (q Query) where() (string, []any, error) {
	var conditions []string
	var args []any
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if !q.Since.IsZero() {
		add("started >= ?", stamp(q.Since))
	}
	if !q.Until.IsZero() {
		add("started < ?", stamp(q.Until))
	}
	if q.Result != "" {
		condition, results, err := q.Result.condition()
		if err != nil {
			return "", nil, err
		}
		add(condition, results...)
	}
	if q.Recorder != "" {
		add("recorder = ?", q.Recorder)
	}
	if q.Tag != "" {
		name, value, valued := strings.Cut(q.Tag, "=")
		add("EXISTS (SELECT 1 FROM json_each(parameters) WHERE key = ? AND (? OR value = ?))", name, !valued, value)
	}
	if q.Cursor != "" {
		started, id, err := q.after()
		if err != nil {
			return "", nil, err
		}
		compare := "(started, id) > (?, ?)"
		if q.Newest {
			compare = "(started, id) < (?, ?)"
		}
		add(compare, started, id)
	}
	if len(conditions) == 0 {
		return "", nil, nil
	}
	return " WHERE " + strings.Join(conditions, " AND "), args, nil
}

// condition is true for the rows that have one of these results.
func (r Result) condition() (condition string, args []any, err error) {
	var either []string
	for one := range strings.SplitSeq(string(r), ",") {
		switch {
		case len(either) == len(Results):
			return "", nil, fmt.Errorf("a result is named twice: %w", ErrQuery)
		case Result(one) == Missed:
			either = append(either, "id IN (SELECT id FROM missed)")
		case slices.Contains(Results, Result(one)):
			either, args = append(either, "result = ?"), append(args, one)
		default:
			return "", nil, fmt.Errorf("there is no result %q: %w", one, ErrQuery)
		}
	}
	return "(" + strings.Join(either, " OR ") + ")", args, nil
}

// cursorAt names a recording by what the list is sorted by.
func cursorAt(v Verdict) string {
	return base64.RawURLEncoding.EncodeToString([]byte(v.Started.UTC().Format(timeFormat) + " " + v.ID))
}

func (q Query) after() (started, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	started, id, ok := strings.Cut(string(b), " ")
	if _, bad := time.Parse(timeFormat, started); err != nil || !ok || bad != nil {
		return "", "", fmt.Errorf("the cursor is not one that this list gave: %w", ErrQuery)
	}
	return started, id, nil
}

const selectRecordings = `SELECT id, call_id, call_sip_id, from_uri, to_uri, rule, recorder, name, required, started,
	answered, taken, ended, seconds, result, reason, srs, srs_sip_id, moves, alarms, initiator, parameters FROM recordings`

func scanRecording(rows *sql.Rows) (Verdict, error) {
	var v Verdict
	var alarms, parameters string
	err := rows.Scan(&v.ID, &v.CallID, &v.Call.SIPCallID, &v.Call.From, &v.Call.To, &v.Rule, &v.Recorder, &v.Name, &v.Required,
		(*moment)(&v.Started), (*moment)(&v.Answered), (*moment)(&v.Taken), (*moment)(&v.Ended), &v.Seconds, &v.Result, &v.Reason,
		&v.SRS, &v.SIPCallID, &v.Moves, &alarms, &v.Initiator, &parameters)
	v.Alarms, v.Attempts, v.Streams = strings.Fields(alarms), []Attempt{}, []Stream{}
	if err == nil {
		err = json.Unmarshal([]byte(parameters), &v.Parameters)
	}
	return v, err
}

// details fills in the attempts and streams of a page.
func details(ctx context.Context, tx *sql.Tx, page []Verdict) error {
	at := make(map[string]*Verdict, len(page))
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].ID
		at[ids[i]] = &page[i]
	}
	list := marshal(ids, "[]")
	err := each(ctx, tx, `SELECT recording, srs, code, reason, at, took FROM attempts
		WHERE recording IN (SELECT value FROM json_each(?)) ORDER BY recording, number`, list, func(rows *sql.Rows) error {
		var id string
		var a Attempt
		err := rows.Scan(&id, &a.SRS, &a.Code, &a.Reason, (*moment)(&a.At), &a.Took)
		if v := at[id]; v != nil {
			v.Attempts = append(v.Attempts, a)
		}
		return err
	})
	if err != nil {
		return err
	}
	return each(ctx, tx, `SELECT recording, label, party, codec, packets_in, packets_copied, dropped, lost, dropped_by,
		at_risk, unreachable, rtcp_in, srs_reports, srs_lost, first, last, gaps FROM streams
		WHERE recording IN (SELECT value FROM json_each(?)) ORDER BY recording, number`, list, func(rows *sql.Rows) error {
		var id, droppedBy, gaps string
		st := Stream{DroppedBy: map[string]uint64{}, Gaps: []Gap{}}
		err := rows.Scan(&id, &st.Label, &st.Party, &st.Codec, &st.PacketsIn, &st.PacketsCopied, &st.Dropped, &st.Lost, &droppedBy,
			&st.AtRisk, &st.Unreachable, &st.RTCPIn, &st.SRSReports, &st.SRSLost, (*moment)(&st.First), (*moment)(&st.Last), &gaps)
		if v := at[id]; v != nil && err == nil {
			err = errors.Join(json.Unmarshal([]byte(droppedBy), &st.DroppedBy), json.Unmarshal([]byte(gaps), &st.Gaps))
			v.Streams = append(v.Streams, st)
		}
		return err
	})
}

func each(ctx context.Context, tx *sql.Tx, q, arg string, scan func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, q, arg)
	if err != nil {
		return err
	}
	_, err = collect(rows, func(rows *sql.Rows) (struct{}, error) { return struct{}{}, scan(rows) })
	return err
}

func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// moment scans a time; NULL is the zero time.
type moment time.Time

// Scan implements sql.Scanner.
func (m *moment) Scan(v any) error {
	s, ok := v.(string)
	if v == nil {
		*m = moment{}
		return nil
	}
	if !ok {
		return fmt.Errorf("a time as %T", v)
	}
	t, err := time.Parse(timeFormat, s)
	*m = moment(t)
	return err
}
