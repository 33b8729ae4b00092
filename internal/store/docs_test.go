package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sidetrack/internal/store"
)

// The paper shows every column, and its queries run.
func TestTheJournalIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	paper := string(b)
	file := filepath.Join(t.TempDir(), "journal.db")
	fill(t, file, 3)
	db := raw(t, file)
	for _, table := range []string{"recordings", "attempts", "streams"} {
		_, part, _ := strings.Cut(paper, "\n**"+table+"**")
		part, _, _ = strings.Cut(part, "\n**")
		names, err := db.Query("SELECT name FROM pragma_table_info(?)", table)
		if err != nil {
			t.Fatal(err)
		}
		for names.Next() {
			var name string
			if err := names.Scan(&name); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(part, "`"+name+"`") {
				t.Errorf("%s.%s is not documented", table, name)
			}
		}
		if err := names.Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, result := range store.Results {
		if !strings.Contains(paper, "| `"+string(result)+"` |") {
			t.Errorf("result %s is not documented", result)
		}
	}
	queries := regexp.MustCompile("(?s)```sql\n(.*?)```|journal.db \"\n(SELECT.*?|\\s+SELECT.*?)\"").FindAllStringSubmatch(paper, -1)
	if len(queries) < 5 {
		t.Errorf("%d queries", len(queries))
	}
	for _, q := range queries {
		rows, err := db.Query(q[1] + q[2])
		if err != nil {
			t.Errorf("%v:\n%s", err, q[0])
			continue
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%v:\n%s", err, q[0])
		}
		rows.Close()
	}
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil || !strings.Contains(paper, fmt.Sprintf("`PRAGMA user_version`, now %d", version)) {
		t.Errorf("the schema has version %d, %v", version, err)
	}
}

// What the paper says a recording takes.
func TestBytesPerRecording(t *testing.T) {
	file := filepath.Join(t.TempDir(), "journal.db")
	fill(t, file, 400)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if per := info.Size() / 400; per < 800 || per > 2200 {
		t.Errorf("%d bytes per recording", per)
	} else {
		t.Logf("%d bytes per recording", per)
	}
	if info.Mode().Perm()&0o007 != 0 {
		t.Errorf("everybody may read it: %v", info.Mode())
	}
	r := reader(t, file)
	if page, _, err := r.List(context.Background(), store.Query{Limit: 400}); err != nil || len(page) != 400 {
		t.Error(len(page), err)
	}
}
