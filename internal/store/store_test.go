package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/internal/store"
	"sidetrack/tests/peer"
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

func TestWhatIsAddedIsRead(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond})
	want := verdict(1)
	j.Add(running(1))
	j.await("running", func() bool { return len(j.list(store.Query{Result: store.Running})) == 1 })
	j.Add(want)
	j.await("complete", func() bool { return len(j.list(store.Query{Result: store.Complete})) == 1 })
	if got := j.list(store.Query{}); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	// What was said of it before is replaced, attempts and streams too.
	v := verdict(1)
	v.Attempts, v.Streams, v.Alarms = []store.Attempt{}, []store.Stream{}, []string{}
	v.Call.From = "sip:" + strings.Repeat("x", 5000) + "\x00\xff"
	j.Add(v)
	j.await("replaced", func() bool { return len(j.list(store.Query{})[0].Streams) == 0 })
	got := j.list(store.Query{})
	if len(got) != 1 || len(got[0].Attempts) != 0 || len(got[0].Call.From) > 1024 {
		t.Errorf("%+v", got)
	}
}

// A file that is moved away, or removed, while it is written: what comes then is in a
// new one, and what was there is whole wherever it is.
func TestFileIsMoved(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond})
	file, moved := j.File(), j.File()+".1"
	has := func(n int) func() bool {
		return func() bool {
			page, _, err := j.List(context.Background(), store.Query{})
			return err == nil && len(page) == 1 && page[0].ID == verdict(n).ID
		}
	}
	j.Add(verdict(1))
	j.await("the first is there", has(1))
	if err := os.Rename(file, moved); err != nil {
		t.Fatal(err)
	}
	j.Add(verdict(2))
	j.await("the second is in the new file", has(2))
	old, err := store.OpenReader(context.Background(), moved)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if page, _, err := old.List(context.Background(), store.Query{}); err != nil || len(page) != 1 || page[0].ID != verdict(1).ID {
		t.Errorf("moved away: %+v, %v", page, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	j.Add(verdict(3))
	j.await("the third is in the new file", has(3))
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v, %v", info, err)
	}

	// The folder goes too, and comes back.
	folder := filepath.Dir(file)
	if err := os.Rename(folder, folder+".1"); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder + ".1")
	j.Add(verdict(4))
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	j.await("the fourth is in the new folder", has(4))
}

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

// What was running when the process died is closed by the next one.
func TestCrash(t *testing.T) {
	first := open(t, store.Config{FlushEvery: time.Millisecond})
	asked := running(2)
	asked.Taken = time.Time{}
	first.Add(running(1))
	first.Add(asked)
	first.Add(verdict(3))
	first.await("three rows", func() bool { return first.metric("sidetrack_journal_rows_total") == 3 })
	dead := copyOf(t, first.cfg.File)

	j := open(t, store.Config{File: dead})
	j.close()
	page, _, err := reader(t, dead).List(context.Background(), store.Query{})
	if err != nil || len(page) != 3 {
		t.Fatal(page, err)
	}
	const crashed = "the proxy ended without a word"
	if v := page[0]; v.Result != store.Partial || v.Reason != crashed || !v.Ended.IsZero() {
		t.Errorf("%+v", v)
	}
	if v := page[1]; v.Result != store.Failed || v.Reason != crashed {
		t.Errorf("%+v", v)
	}
	if v := page[2]; v.Result != store.Complete {
		t.Errorf("%+v", v)
	}
}

// copyOf is what a crash leaves: the file and its log as they are on the disk.
func copyOf(t *testing.T, file string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "dead.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(file + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestAge(t *testing.T) {
	now := noon.Add(100 * time.Second)
	j := open(t, store.Config{FlushEvery: time.Millisecond, MaxAge: 50 * time.Second, Now: func() time.Time { return now }})
	j.close()
	fill(t, j.cfg.File, 100)
	j = open(t, j.cfg) // the first thing it does
	j.await("the old ones gone", func() bool { return len(j.list(store.Query{})) == 50 })
	if first := j.list(store.Query{})[0]; !first.Started.Equal(noon.Add(50 * time.Second)) {
		t.Errorf("the first is of %v", first.Started)
	}
	db := raw(t, j.cfg.File)
	for _, table := range []string{"attempts", "streams"} {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 100 {
			t.Errorf("%d %s left, %v", n, table, err)
		}
	}
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

// The file stays within its bound, of the newest recordings, and shrinks to it.
func TestSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	fill(t, file, 800)
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	const bound = 1 << 18
	if before.Size() < 2*bound {
		t.Fatalf("only %d bytes", before.Size())
	}
	j := open(t, store.Config{File: file, MaxSize: bound, FlushEvery: time.Millisecond, Queue: 2000})
	for i := range 200 {
		j.Add(verdict(800 + i))
	}
	j.close()
	after, err := os.Stat(file)
	if err != nil || after.Size() > bound*9/8 || after.Size() < bound*3/4 {
		t.Errorf("%d bytes, %v", after.Size(), err)
	}
	r := reader(t, file)
	page, _, err := r.List(context.Background(), store.Query{Since: noon.Add(999 * time.Second)})
	if err != nil || len(page) != 1 {
		t.Errorf("the newest is gone: %v", err)
	}
	if page, _, err = r.List(context.Background(), store.Query{Limit: 1}); err != nil || page[0].Started.Before(noon.Add(600*time.Second)) {
		t.Errorf("the oldest is %v, %v", page[0].Started, err)
	}
}

func TestUnusableFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := filepath.Join(dir, "other.db")
	if _, err := raw(t, other).Exec("CREATE TABLE songs (title TEXT)"); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	fill(t, newer, 1)
	if _, err := raw(t, newer).Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	used := open(t, store.Config{})
	for _, tt := range []struct{ name, file, want string }{
		{"no folder", filepath.Join(dir, "none", "journal.db"), "cannot be written: no such file or directory"},
		{"a folder", dir, "is a directory"},
		{"no database", file("text", strings.Repeat("not a database ", 100)), "not a journal"},
		{"another database", other, "it holds other tables"},
		{"a newer one", newer, "its schema has version 99, this program knows 4"},
		{"in use", used.cfg.File, "another process writes it"},
	} {
		s, err := store.Open(store.Config{File: tt.file})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.file) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if s != nil {
			t.Errorf("%s: a store", tt.name)
		}
	}
	for _, tt := range []struct{ name, file, want string }{
		{"none", filepath.Join(dir, "none.db"), "cannot be read: no such file or directory"},
		{"empty", file("empty", ""), "it is empty"},
		{"another database", other, "it holds other tables"},
		{"a newer one", newer, "version 99, this program reads 4"},
	} {
		r, err := store.OpenReader(context.Background(), tt.file)
		if err == nil || !strings.Contains(err.Error(), tt.want) || r != nil {
			t.Errorf("reading, %s: %v", tt.name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a reader makes files")
	}
}

// A journal that a disk has damaged is set aside, at the start or when it shows: a new one is begun.
func TestDamagedFile(t *testing.T) {
	for name, root := range map[string]string{"at the start": "recordings_result", "later": "streams"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "journal.db")
			fill(t, file, 20)
			var page int64
			if err := raw(t, file).QueryRow("SELECT rootpage FROM sqlite_schema WHERE name = ?", root).Scan(&page); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(file, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xaa}, 4096), (page-1)*4096); err != nil {
				t.Fatal(err)
			}
			must(t, f.Close())
			j := open(t, store.Config{File: file, FlushEvery: time.Millisecond})
			j.Add(verdict(77))
			j.await("it is in the new file", func() bool {
				page, _, err := j.List(context.Background(), store.Query{})
				return err == nil && len(page) == 1 && page[0].ID == verdict(77).ID
			})
			if left, _ := filepath.Glob(file + ".damaged-*Z"); len(left) != 1 {
				t.Errorf("set aside: %v", left)
			}
			if n := j.metric("sidetrack_journal_dropped_total"); n != 0 {
				t.Errorf("%v dropped", n)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Readers see whole recordings, page after page, while others are written.
func TestConcurrentReaders(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond, Queue: 5000})
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			for {
				seen := 0
				for cursor := ""; ; {
					page, next, err := j.List(context.Background(), store.Query{Limit: 17, Cursor: cursor})
					if err != nil {
						t.Error(err)
						return
					}
					for _, v := range page {
						if len(v.Attempts) != 2 || v.Result == store.Complete && len(v.Streams) != 2 {
							t.Errorf("half a recording: %+v", v)
							return
						}
					}
					seen += len(page)
					if cursor = next; next == "" {
						break
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 120 {
		j.Add(running(i))
	}
	for i := range 120 {
		j.Add(verdict(i))
	}
	j.await("all of them", func() bool { return len(j.list(store.Query{Result: store.Complete, Limit: 1000})) == 120 })
	close(stop)
	readers.Wait()
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

// Bounds that change while the journal is kept count from the next verdict on.
func TestBoundsChange(t *testing.T) {
	now := noon.Add(time.Hour)
	j := open(t, store.Config{FlushEvery: time.Millisecond, Now: func() time.Time { return now }})
	for i := range 5 {
		j.Add(verdict(i))
	}
	j.await("five rows", func() bool { return len(j.list(store.Query{})) == 5 })
	j.Bound(time.Hour-3*time.Second, 0)
	j.Add(verdict(5))
	j.await("those since the third second", func() bool { return len(j.list(store.Query{})) == 3 })
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
