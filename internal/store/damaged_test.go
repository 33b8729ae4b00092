package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/store"
)

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
