package repo_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every type of event that the program tells of is in the papers, and can be asked for by webhooks: what is in the
// papers is also in the configuration's list, another test holds.
func TestEventTypesAreInThePapers(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	openapi, api := read("internal/api/openapi.yaml"), read("docs/api.md")
	event := regexp.MustCompile(`^(call|recording|target)\.[a-z]+$`)
	found := map[string]bool{}
	for _, s := range sources(t) {
		if s.test() || !strings.HasPrefix(s.path, "src/") && !strings.HasPrefix(s.path, "internal/app/") {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if v, err := strconv.Unquote(lit.Value); err == nil && event.MatchString(v) {
					found[v] = true
				}
			}
			return true
		})
	}
	for name := range found {
		if !strings.Contains(openapi, "            - "+name+"\n") {
			t.Errorf("openapi.yaml does not list the event %s", name)
		}
		if !strings.Contains(api, "`"+name+"`") {
			t.Errorf("docs/api.md does not tell of the event %s", name)
		}
	}
	if len(found) < 10 {
		t.Errorf("only %d types of events found: %v", len(found), found)
	}
}
