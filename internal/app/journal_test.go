package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/app"
)

// A journal that cannot be kept stops the start, in one line that names the key, and nothing is left open.
func TestJournalThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.db")
	if err := os.WriteFile(other, []byte(strings.Repeat("no database ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "none", "journal.db"): "journal.file: " + filepath.Join(dir, "none", "journal.db") + " cannot be written: no such file or directory",
		other:                                    "journal.file: " + other + ": not a journal that this version can use",
	} {
		log := &lines{}
		a, err := app.New(parse(t, text()+"journal: {file: "+file+"}\n"), app.Options{Log: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Start()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
}
