package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/internal/store"
)

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
