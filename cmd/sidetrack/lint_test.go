package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A right document ends with 0, one that a strict recorder refuses with 1 and a line that says where and why.
func TestLint(t *testing.T) {
	right := "../../tests/scenario/testdata/chronicles/hold/01-start.xml"
	text, err := os.ReadFile(right)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.xml")
	if err := os.WriteFile(wrong, bytes.Replace(text, []byte("<label>2</label>"), []byte("<label>two words</label>"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if status := run([]string{"lint", right}, stdio{&out, &errs}); status != 0 || !strings.Contains(out.String(), "nothing that a strict recorder would refuse") {
		t.Errorf("%d: %s%s", status, out.String(), errs.String())
	}
	out.Reset()
	if status := run([]string{"lint", right, wrong}, stdio{&out, &errs}); status != 1 || !strings.Contains(out.String(), "20  must   SDP-05  stream[2]/label") {
		t.Errorf("%d: %s%s", status, out.String(), errs.String())
	}
	out.Reset()
	if status := run([]string{"lint", "--json", wrong}, stdio{&out, &errs}); status != 1 {
		t.Errorf("--json: %d", status)
	}
	var j judged
	if err := json.Unmarshal(out.Bytes(), &j); err != nil || len(j.Findings) != 1 || j.Findings[0].Rule != "SDP-05" || j.Findings[0].Line != 20 {
		t.Errorf("--json: %v %+v", err, j)
	}
	for _, args := range [][]string{{"lint"}, {"lint", filepath.Join(t.TempDir(), "nothing")}, {"lint", "lint_test.go"}} {
		errs.Reset()
		if status := run(args, stdio{&out, &errs}); status != 1 || errs.Len() == 0 {
			t.Errorf("%q: %d, %q", args, status, errs.String())
		}
	}
}
