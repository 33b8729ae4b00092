package repo_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each line that says where something of OpenSIPS or Twilio is names a test that
// holds it, and that is there.
func TestMigrationTablesNameTheirTests(t *testing.T) {
	tests := map[string][]string{} // name → packages
	for _, s := range sources(t) {
		if !s.test() {
			continue
		}
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = append(tests[f.Name.Name], strings.TrimSuffix(s.tree.Name.Name, "_test"))
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/from-opensips.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(?:([a-z0-9]+)\\.)?(Test[A-Za-z0-9]+)`")
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[len(cells)-1]) == "test" {
			continue
		}
		rows++
		last := strings.TrimSpace(cells[len(cells)-1])
		found := named.FindAllStringSubmatch(last, -1)
		if len(found) == 0 && last != "–" {
			t.Errorf("docs/from-opensips.md:%d: names no test", i+1)
		}
		for _, m := range found {
			switch in := tests[m[2]]; {
			case len(in) == 0 || m[1] != "" && !slices.Contains(in, m[1]):
				t.Errorf("docs/from-opensips.md:%d: there is no %s", i+1, m[0])
			case len(in) > 1 && m[1] == "":
				t.Errorf("docs/from-opensips.md:%d: %s may be of %v; write the package before it", i+1, m[2], in)
			}
		}
	}
	if rows < 60 {
		t.Errorf("only %d lines found", rows)
	}
}
