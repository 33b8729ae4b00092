package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/store"
)

const patience = 2 * time.Minute

// never is a flush interval that no test lives to see.
const never = time.Hour

// journal is an open store and what it tells.
type journal struct {
	*store.Store
	t        *testing.T
	cfg      store.Config
	registry *prometheus.Registry
	log      *bytes.Buffer // read it after Close
}

func open(t *testing.T, cfg store.Config) *journal {
	t.Helper()
	j := &journal{t: t, registry: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	if cfg.File == "" {
		cfg.File = filepath.Join(t.TempDir(), "journal.db")
	}
	cfg.Registerer, cfg.Log = j.registry, slog.New(slog.NewTextHandler(j.log, nil))
	j.cfg = cfg
	var err error
	if j.Store, err = store.Open(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
	return j
}

func (j *journal) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		j.t.Error(err)
	}
}

func (j *journal) list(q store.Query) []store.Verdict {
	j.t.Helper()
	page, _, err := j.List(context.Background(), q)
	if err != nil {
		j.t.Fatal(err)
	}
	return page
}

func (j *journal) metric(name string) (sum float64) {
	j.t.Helper()
	families, err := j.registry.Gather()
	if err != nil {
		j.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (j *journal) await(what string, holds func() bool) {
	j.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			j.t.Fatalf("never: %s", what)
		}
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// verdict is one of a whole recording, begun n seconds after noon.
func verdict(n int) store.Verdict {
	at := noon.Add(time.Duration(n) * time.Second)
	return store.Verdict{
		ID: fmt.Sprintf("rec-%06d", n), CallID: fmt.Sprintf("call-%d", n),
		Call: store.Call{SIPCallID: "c@pbx", From: "sip:alice@pbx.test", To: "sip:bob@pbx.test"},
		Rule: "all", Recorder: "main", Name: "main", Required: true,
		Started: at, Answered: at, Taken: at.Add(time.Second), Ended: at.Add(time.Minute), Seconds: 58.5,
		Result: store.Complete, Reason: "the call ended", SRS: "sip:srs2", SIPCallID: "r@us", Moves: 2, Alarms: []string{"one-leg-silent"},
		Parameters: map[string]string{"team": "sales & \"more\"", "agent": fmt.Sprint(n)},
		Attempts: []store.Attempt{
			{SRS: "sip:srs1", Code: 503, Reason: "Busy", At: at, Took: 0.25}, {SRS: "sip:srs2", Code: 200, At: at, Took: 0.5},
		},
		Streams: []store.Stream{
			{Label: "1", Party: "caller", Codec: "PCMU/8000", PacketsIn: 100, PacketsCopied: 90, Dropped: 10, Lost: 4,
				DroppedBy: map[string]uint64{"paused": 6, "error": 4}, AtRisk: 5, Unreachable: 1, RTCPIn: 3, SRSReports: 2, SRSLost: -7, First: at, Last: at.Add(time.Minute),
				Gaps: []store.Gap{{From: at, To: at.Add(time.Second), Cause: "hold"}, {From: at, Cause: "srs"}}},
			{Label: "2", Party: "callee", Codec: "PCMU/8000", DroppedBy: map[string]uint64{}, Gaps: []store.Gap{}},
		},
	}
}

func running(n int) store.Verdict {
	v := verdict(n)
	v.Result, v.Reason, v.Ended, v.Streams = store.Running, "", time.Time{}, nil
	return v
}

func reader(t *testing.T, file string) *store.Reader {
	t.Helper()
	r, err := store.OpenReader(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// raw is a connection as a user's own tool has it.
func raw(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// fill writes n verdicts, one per second from noon on, without limits.
func fill(t *testing.T, file string, n int) {
	t.Helper()
	j := open(t, store.Config{File: file, Queue: n + 1000, FlushEvery: time.Millisecond})
	for i := range n {
		j.Add(verdict(i))
	}
	j.close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
