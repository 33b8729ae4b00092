package recorder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The report says that the documents are there, so they are brought to the disk before it: where one cannot be, there is
// no report. In a hurry it is written all the same.
func TestReportComesBehindTheDocuments(t *testing.T) {
	for _, lasting := range []bool{true, false} {
		dir := t.TempDir()
		lost := filepath.Join(dir, "metadata-1.xml")
		if err := os.Symlink(filepath.Join(dir, "gone"), lost); err != nil {
			t.Fatal(err)
		}
		err := report{}.write(folderAt(dir), lasting)
		_, missing := os.Stat(filepath.Join(dir, reportName))
		if failed := err != nil; failed != lasting || errors.Is(missing, fs.ErrNotExist) != lasting {
			t.Errorf("lasting %v: %v, %v", lasting, err, missing)
		}
		if err := os.Remove(lost); err != nil {
			t.Fatal(err)
		}
		if err := (report{}).write(folderAt(dir), lasting); err != nil {
			t.Error(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 || entries[0].Name() != reportName {
			t.Errorf("lasting %v: %v in the folder, %v", lasting, entries, err)
		}
	}
}
