package repo_test

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"testing"
)

// Each package has a doc.go with its package comment, and only there; a command has it where it begins.
func TestEveryPackageHasItsDoc(t *testing.T) {
	has := map[string]bool{}
	for _, s := range sources(t) {
		if _, ok := has[s.dir()]; !ok {
			has[s.dir()] = false
		}
		if s.tree.Doc == nil || s.test() {
			continue
		}
		if path.Base(s.path) != "doc.go" && s.tree.Name.Name != "main" {
			t.Errorf("%s: the package comment belongs into doc.go", s.path)
		}
		has[s.dir()] = true
		if len(s.tree.Doc.Text()) < 100 && s.tree.Name.Name != "main" {
			t.Errorf("%s: a package comment tells its nouns and its flow", s.path)
		}
	}
	for dir, ok := range has {
		if !ok {
			t.Errorf("%s has no doc.go with a package comment", dir)
		}
	}
}

// Exported identifiers of the product have a comment.
func TestExportedIdentifiersAreDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || s.tests() || s.tree.Name.Name == "main" {
			continue
		}
		for _, decl := range s.tree.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !implied(d.Name.Name) {
					t.Errorf("%s:%d: %s has no comment", s.path, s.line(d.Pos()), d.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if typ, ok := spec.(*ast.TypeSpec); ok && typ.Name.IsExported() && d.Doc == nil && typ.Doc == nil {
						t.Errorf("%s:%d: type %s has no comment", s.path, s.line(typ.Pos()), typ.Name)
					}
				}
			}
		}
	}
}

// implied methods say what they do by the interface that they satisfy.
func implied(name string) bool {
	switch name {
	case "Error", "String", "Unwrap", "Len", "Less", "Swap", "Push", "Pop", "Write", "Describe", "Collect", "ServeHTTP":
		return true
	}
	return false
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

// A package that starts goroutines shows in its tests that they end.
func TestGoroutinesAreShownToEnd(t *testing.T) {
	starts, shows := map[string]string{}, map[string]bool{}
	for _, s := range sources(t) {
		if s.test() {
			if strings.Contains(s.text, "goleak.") {
				shows[s.dir()] = true
			}
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok && s.tree.Name.Name != "main" {
				starts[s.dir()] = s.path
			}
			return true
		})
	}
	for dir, file := range starts {
		if !shows[dir] {
			t.Errorf("%s starts goroutines (%s), and its tests have no goleak.VerifyTestMain", dir, file)
		}
	}
}

// Nothing is left undone by its own words, and what is skipped says why.
func TestNothingIsLeftUndone(t *testing.T) {
	undone := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX|HA` + `CK)\b`)
	skip := regexp.MustCompile(`\b[tb]\.(Skip\(\)|SkipNow\(\))`)
	for _, s := range sources(t) {
		for _, group := range s.tree.Comments {
			if word := undone.FindString(group.Text()); word != "" {
				t.Errorf("%s:%d: %s", s.path, s.line(group.Pos()), word)
			}
		}
		if at := skip.FindStringIndex(s.text); at != nil {
			t.Errorf("%s:%d: skipped without a reason", s.path, 1+strings.Count(s.text[:at[0]], "\n"))
		}
	}
}

// Tests await conditions; none sleeps for a guessed time. A short sleep between two looks at a condition is awaiting, and
// the programs of tests/load measure for the time that they are told.
func TestNoTestSleeps(t *testing.T) {
	long := regexp.MustCompile(`time\.Sleep\((([5-9]\d|\d{3,}) \* time\.Millisecond|(\d+ \* )?time\.(Second|Minute))\)`)
	for _, s := range sources(t) {
		measures := strings.HasPrefix(s.dir(), "tests/load") && !s.test()
		if !s.test() && !s.tests() || measures || strings.Contains(s.text, "testing/synctest") {
			continue
		}
		for _, at := range long.FindAllStringIndex(s.text, -1) {
			t.Errorf("%s:%d: sleeps; await the condition instead", s.path, 1+strings.Count(s.text[:at[0]], "\n"))
		}
	}
}

// A file that a reader can finish.
func TestFilesAreShort(t *testing.T) {
	const limit = 450
	for _, s := range sources(t) {
		if lines := strings.Count(s.text, "\n"); lines > limit && !s.test() {
			t.Errorf("%s has %d lines; one file, one thing, at most %d", s.path, lines, limit)
		}
	}
}
