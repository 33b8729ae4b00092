package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/internal/store"
)

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
