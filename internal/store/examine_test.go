package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/store"
)

// What Open would refuse is told beforehand, and nothing is touched; a journal that is being written is none of that.
func TestExamine(t *testing.T) {
	dir := t.TempDir()
	base := func(name string, statements ...string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", file)
		for _, q := range statements {
			if err == nil {
				_, err = db.Exec(q)
			}
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	text := filepath.Join(dir, "notes.txt")
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(text, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	live, err := store.Open(store.Config{File: filepath.Join(dir, "live.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close(t.Context())
	for file, want := range map[string]string{
		filepath.Join(dir, "none"): "", empty: "", live.File(): "",
		base("fresh.db", "PRAGMA user_version = 0"): "",
		dir:  dir + " is no file; write the name of one",
		text: text + " holds something else than a journal; write another name",
		base("crm.db", "CREATE TABLE customers (name TEXT)"):                            "is a database of something else; write another name",
		base("other.db", "PRAGMA application_id = 7; PRAGMA user_version = 1"):          "is a database of something else; write another name",
		base("late.db", "PRAGMA application_id = 1935963243; PRAGMA user_version = 99"): "was written by a later version of sidetrack (its schema has version 99, this one knows 4); write another name",
	} {
		said := fmt.Sprint(store.Examine(file))
		if want == "" {
			want = "<nil>"
		}
		if !strings.HasSuffix(said, want) {
			t.Errorf("%s: %s", file, said)
		}
		if _, isOpen := map[string]bool{live.File(): true, dir: true, filepath.Join(dir, "none"): true}[file]; isOpen {
			continue
		}
		s, err := store.Open(store.Config{File: file})
		if (err == nil) != (said == "<nil>") {
			t.Errorf("%s: Open says %v, Examine %s", file, err, said)
		}
		if err == nil {
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}
