package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/internal/store"
	"sidetrack/tests/peer"
)

// A batch is written when it is full, and together; what is not full waits for
// its time, or for the end.
func TestBatches(t *testing.T) {
	j := open(t, store.Config{FlushEvery: never, Queue: 1000})
	for i := range 255 {
		j.Add(verdict(i))
	}
	if n := len(j.list(store.Query{Limit: 1000})); n != 0 {
		t.Errorf("%d written before the batch was full", n)
	}
	j.Add(verdict(255))
	j.await("a full batch", func() bool { return j.metric("sidetrack_journal_rows_total") == 256 })
	j.Add(running(1000))
	j.Add(verdict(1000)) // one row of two verdicts
	j.close()
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, err := os.Stat(j.cfg.File + suffix); err == nil {
			t.Errorf("%s left", suffix)
		}
	}
	r := reader(t, j.cfg.File)
	page, next, err := r.List(context.Background(), store.Query{Limit: 1000})
	if err != nil || next != "" || len(page) != 257 || page[256].Result != store.Complete {
		t.Errorf("%d rows, next %q, %v", len(page), next, err)
	}
	if n := j.metric("sidetrack_journal_rows_total"); n != 257 {
		t.Errorf("%v rows counted", n)
	}
	j.Add(verdict(1001)) // too late, and harmless
	if n := j.metric("sidetrack_journal_dropped_total"); n != 1 {
		t.Errorf("%v dropped", n)
	}
}

// While somebody else keeps the file to himself nothing blocks: what has no room
// is dropped and counted, final verdicts last, and told once. Then it goes on.
func TestAddNeverBlocks(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond, Queue: 100})
	j.await("the schema", func() bool { return j.metric("sidetrack_journal_rows_total") == 0 && len(j.list(store.Query{})) == 0 })
	other := raw(t, j.cfg.File)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	const many = 2000
	watch := peer.StartStopwatch(t)
	for i := range many {
		j.Add(verdict(i))
	}
	if d := watch.Took(); d > time.Second {
		t.Errorf("%d took %v", many, d)
	}
	dropped := j.metric("sidetrack_journal_dropped_total")
	if dropped == 0 {
		t.Error("nothing dropped from a queue of 100")
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	j.await("the rest", func() bool { return j.metric("sidetrack_journal_rows_total") == many-dropped })
	j.close()
	if n := strings.Count(j.log.String(), "journal not written"); n != 1 {
		t.Errorf("told %d times:\n%s", n, j.log)
	}
}

// Of running ones fewer fit than of final ones.
func TestFinalVerdictsGoFirst(t *testing.T) {
	j := open(t, store.Config{FlushEvery: never, Queue: 8})
	other := raw(t, j.cfg.File)
	j.await("free", func() bool { _, err := other.Exec("BEGIN IMMEDIATE"); return err == nil })
	for i := range 256 { // the writer takes these and then waits for the file
		j.await("room", func() bool {
			before := j.metric("sidetrack_journal_dropped_total")
			j.Add(verdict(i))
			return j.metric("sidetrack_journal_dropped_total") == before
		})
	}
	full := func(v func(int) store.Verdict) (n int) {
		for i := range 100 {
			before := j.metric("sidetrack_journal_dropped_total")
			j.Add(v(1000 + i))
			if j.metric("sidetrack_journal_dropped_total") > before {
				return n
			}
			n++
		}
		return n
	}
	j.await("a full queue", func() bool { return full(running) == 0 })
	if n := full(verdict); n != 2 {
		t.Errorf("%d final verdicts found room", n)
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}

// A journal that follows another one goes on with its counts; whose metrics have a name that is taken cannot be.
func TestRegisteredOnce(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond})
	next, err := store.Open(store.Config{File: j.cfg.File + "2", Registerer: j.registry, FlushEvery: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	j.Add(verdict(1))
	next.Add(verdict(2))
	j.await("two rows are counted", func() bool {
		n, err := testutil.GatherAndCount(j.registry, "sidetrack_journal_rows_total")
		return err == nil && n == 1 && counted(t, j.registry) == 2
	})
	if err := next.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(j.registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "sidetrack_journal_rows_total", Help: "Another thing."}))
	if _, err := store.Open(store.Config{File: j.cfg.File + "3", Registerer: taken}); err == nil {
		t.Error("two things have one name")
	}
}

// counted is how many rows have been written.
func counted(t *testing.T, registry *prometheus.Registry) (n float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sidetrack_journal_rows_total" {
			n += f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return n
}

func BenchmarkAdd(b *testing.B) {
	s, err := store.Open(store.Config{File: filepath.Join(b.TempDir(), "journal.db")})
	if err != nil {
		b.Fatal(err)
	}
	v := verdict(1)
	b.ReportAllocs()
	for b.Loop() {
		s.Add(v)
	}
	b.StopTimer()
	if err := s.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
