package store

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/tests/peer"
)

// Each step keeps what is there; a file of the newest version stays as it is.
func TestMigration(t *testing.T) {
	ctx := context.Background()
	db, err := database(filepath.Join(t.TempDir(), "journal.db"), "rwc", "foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for n := 1; n <= len(migrations); n++ {
		if err := migrate(ctx, db, migrations[:n]); err != nil {
			t.Fatal(err)
		}
		if v, err := versionOf(ctx, db); err != nil || v != n {
			t.Fatalf("version %d, wanted %d: %v", v, n, err)
		}
		if n > 1 {
			continue
		}
		old := `INSERT INTO recordings (id, call_id, call_sip_id, from_uri, to_uri, rule, recorder, name, required, started, answered,
			seconds, result, reason, srs, srs_sip_id, packets_in, packets_copied, lost, moves, alarms)
			VALUES ('old', '', '', '', '', '', '', '', 0, ?, ?, 0, 'failed', '', '', '', 0, 0, 0, 0, '')`
		if _, err := db.Exec(old, stamp(time.Unix(1, 0)), stamp(time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
	}
	next := append(append([]string{}, migrations...), "ALTER TABLE recordings ADD COLUMN site TEXT NOT NULL DEFAULT ''")
	if err := migrate(ctx, db, next); err != nil {
		t.Fatal(err)
	}
	if err := migrate(ctx, db, migrations); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer file: %v", err)
	}
	if err := migrate(ctx, db, append(next, "CREATE TABLE half (a); CREATE TABLE recordings (a)")); err == nil {
		t.Error("a step that fails passes")
	}
	var site string
	if err := db.QueryRow("SELECT site FROM missed WHERE id = 'old'").Scan(&site); err != nil {
		t.Errorf("the view without a column that came after it: %v", err)
	}
	var n int
	if err := db.QueryRow("SELECT (SELECT count(*) FROM missed) + (SELECT count(*) FROM sqlite_schema WHERE name = 'half')").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

// A full disk costs nothing that finds room until there is space again.
func TestDiskFull(t *testing.T) {
	s, err := Open(Config{File: filepath.Join(t.TempDir(), "journal.db"), FlushEvery: time.Millisecond, Queue: 4000, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	// The connection is the writer's only one: its limit is the disk's.
	if _, err := s.db.Exec("PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
	const many = 2000
	for i := range many {
		s.Add(Verdict{ID: time.Duration(i).String(), Started: time.Unix(int64(i), 0), Result: Complete, Reason: "the call ended"})
	}
	told := func() bool {
		s.trouble.mu.Lock()
		defer s.trouble.mu.Unlock()
		return !s.trouble.last.IsZero()
	}
	await(t, "the trouble told", told)
	if n := testutil.ToFloat64(s.metrics.rows); n >= many {
		t.Fatalf("%v rows on a full disk", n)
	}
	if _, err := s.db.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	await(t, "all rows", func() bool { return testutil.ToFloat64(s.metrics.rows) == many })
	if n := testutil.ToFloat64(s.metrics.dropped.WithLabelValues(dropDisk)) + testutil.ToFloat64(s.metrics.dropped.WithLabelValues(dropQueue)); n != 0 {
		t.Errorf("%v dropped", n)
	}
}

// When the disk is still full at the end, what is lost is counted.
func TestDiskFullAtTheEnd(t *testing.T) {
	s, err := Open(Config{File: filepath.Join(t.TempDir(), "journal.db"), FlushEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.db.Exec("PRAGMA max_page_count = 14"); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		s.Add(Verdict{ID: time.Duration(i).String(), Started: time.Unix(int64(i), 0), Result: Complete, Reason: string(make([]byte, 1000))})
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if n := testutil.ToFloat64(s.metrics.dropped.WithLabelValues(dropDisk)); n != 200 {
		t.Errorf("%v dropped", n)
	}
}

// What the database will never take does not stand in the way of the rest.
func TestRefusedForGood(t *testing.T) {
	s, err := Open(Config{File: filepath.Join(t.TempDir(), "journal.db"), FlushEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s.Add(Verdict{ID: "no start", Result: Complete}) // NOT NULL
	await(t, "the refusal", func() bool { return testutil.ToFloat64(s.metrics.dropped.WithLabelValues(dropError)) == 1 })
	s.Add(Verdict{ID: "good", Started: time.Unix(1, 0), Result: Complete})
	await(t, "the next", func() bool { return testutil.ToFloat64(s.metrics.rows) == 1 })
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// … nor does it take those with it that came with it.
func TestOneOfABatchRefusedForGood(t *testing.T) {
	s, err := Open(Config{File: filepath.Join(t.TempDir(), "journal.db"), FlushEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		v := Verdict{ID: time.Duration(i).String(), Started: time.Unix(int64(i), 0), Result: Complete}
		if i == 50 {
			v.Started = time.Time{} // NOT NULL
		}
		s.Add(v)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if rows, dropped := testutil.ToFloat64(s.metrics.rows), testutil.ToFloat64(s.metrics.dropped.WithLabelValues(dropError)); rows != 99 || dropped != 1 {
		t.Errorf("%v rows, %v dropped", rows, dropped)
	}
}

// Close in a hurry cuts the writer off that waits for somebody else.
func TestCloseIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	s, err := Open(Config{File: file, FlushEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	other, err := database(file, "rw")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	await(t, "the file", func() bool { _, err := other.Exec("BEGIN IMMEDIATE"); return err == nil })
	s.Add(Verdict{ID: "late", Started: time.Unix(1, 0), Result: Complete})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	watch := peer.StartStopwatch(t)
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if d := watch.Took(); d > 2*busyTime {
		t.Errorf("took %v", d)
	}
	if n := testutil.CollectAndCount(s.metrics.dropped); n == 0 || testutil.ToFloat64(s.metrics.rows) != 0 {
		t.Error("written in spite of the other")
	}
	if err := s.Close(context.Background()); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
