package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"
)

// timeFormat is RFC 3339 in UTC with milliseconds: all of the same length, so
// that they sort as text, and SQLite's date functions read them.
const timeFormat = "2006-01-02T15:04:05.000Z"

// maxText bounds what a peer can write into a column.
const maxText = 1024

// text makes a peer's bytes fit for a column.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// stamp is a time as a column holds it; the zero time is NULL.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(timeFormat)
}

const upsert = `INSERT OR REPLACE INTO recordings
	(id, call_id, call_sip_id, from_uri, to_uri, rule, recorder, name, required, started, answered, taken, ended,
	 seconds, result, reason, srs, srs_sip_id, packets_in, packets_copied, lost, moves, alarms, initiator, parameters)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const insertAttempt = `INSERT INTO attempts (recording, number, srs, code, reason, at, took) VALUES (?, ?, ?, ?, ?, ?, ?)`

const insertStream = `INSERT INTO streams
	(recording, number, label, party, codec, packets_in, packets_copied, dropped, lost, dropped_by,
	 at_risk, unreachable, rtcp_in, srs_reports, srs_lost, first, last, gaps)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// write puts a batch into the file, whole or not at all.
func (s *Store) write(ctx context.Context, batch []Verdict) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	w := writer{ctx: ctx, tx: tx}
	recordings, attempts, streams := w.prepare(upsert), w.prepare(insertAttempt), w.prepare(insertStream)
	for _, v := range batch {
		// A row that is replaced takes its attempts and streams with it.
		w.exec(recordings, recordingRow(v)...)
		id := text(v.ID)
		for i, a := range v.Attempts {
			w.exec(attempts, id, i+1, text(a.SRS), a.Code, text(a.Reason), stamp(a.At), a.Took)
		}
		for i, st := range v.Streams {
			w.exec(streams, streamRow(id, i+1, st)...)
		}
	}
	if w.err != nil {
		return w.err
	}
	return tx.Commit()
}

func recordingRow(v Verdict) []any {
	var in, copied, lost uint64
	for _, st := range v.Streams {
		in += st.PacketsIn
		copied += st.PacketsCopied
		lost += st.Lost
	}
	return []any{
		text(v.ID), text(v.CallID), text(v.Call.SIPCallID), text(v.Call.From), text(v.Call.To), text(v.Rule), text(v.Recorder),
		text(v.Name), v.Required, stamp(v.Started), stamp(v.Answered), stamp(v.Taken), stamp(v.Ended), v.Seconds,
		string(v.Result), text(v.Reason), text(v.SRS), text(v.SIPCallID), int64(in), int64(copied), int64(lost),
		v.Moves, strings.Join(v.Alarms, " "), text(v.Initiator), marshal(v.Parameters, "{}"),
	}
}

func streamRow(id string, number int, st Stream) []any {
	return []any{
		id, number, text(st.Label), text(st.Party), text(st.Codec), int64(st.PacketsIn), int64(st.PacketsCopied),
		int64(st.Dropped), int64(st.Lost), marshal(st.DroppedBy, "{}"), int64(st.AtRisk), int64(st.Unreachable),
		int64(st.RTCPIn), int64(st.SRSReports), st.SRSLost,
		stamp(st.First), stamp(st.Last), marshal(st.Gaps, "[]"),
	}
}

// marshal is a value as JSON text; nothing is written as empty.
func marshal(v any, empty string) string {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return empty
	}
	return string(b)
}

// writer runs statements until one fails.
type writer struct {
	ctx context.Context
	tx  *sql.Tx
	err error
}

// prepare makes a statement that ends with the transaction.
func (w *writer) prepare(q string) *sql.Stmt {
	if w.err != nil {
		return nil
	}
	var st *sql.Stmt
	st, w.err = w.tx.PrepareContext(w.ctx, q)
	return st
}

func (w *writer) exec(st *sql.Stmt, args ...any) {
	if w.err == nil {
		_, w.err = st.ExecContext(w.ctx, args...)
	}
}
