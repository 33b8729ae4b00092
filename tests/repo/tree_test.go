package repo_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "sidetrack"
)

// source is one Go file of the repository.
type source struct {
	path string // from the root, with slashes
	text string
	tree *ast.File
	set  *token.FileSet
}

func (s source) dir() string          { return path.Dir(s.path) }
func (s source) test() bool           { return strings.HasSuffix(s.path, "_test.go") }
func (s source) tests() bool          { return strings.HasPrefix(s.path, "tests/") }
func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

// imports is what the file imports.
func (s source) imports() []string {
	var all []string
	for _, spec := range s.tree.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err == nil {
			all = append(all, name)
		}
	}
	return all
}

// own is the part of an import path below the module, "" for what is not ours.
func own(path string) string {
	rest, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return rest
}

var parsed []source // by the first who asked

// sources reads every Go file.
func sources(t *testing.T) []source {
	t.Helper()
	if parsed != nil {
		return parsed
	}
	var all []source
	for _, name := range files(t, ".go") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{filepath.ToSlash(name), string(text), tree, set})
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	parsed = all
	return all
}

// files lists the files with that ending, relative to the root, without hidden directories.
func files(t *testing.T, ending string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(name, ending) {
			relative, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			all = append(all, relative)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
