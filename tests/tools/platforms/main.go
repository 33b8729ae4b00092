// Command platforms checks that the program, its tools and its tests compile for other platforms: it type-checks every
// package of the module, tests included, as go/build chooses its files there. Of what is imported only the declarations
// are read, so that it takes seconds where a compiler takes minutes.
//
//	go run ./tests/tools/platforms linux/arm64 darwin/arm64 freebsd/amd64
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

func main() {
	errs := make([]error, len(os.Args)-1)
	var all sync.WaitGroup
	for i, platform := range os.Args[1:] {
		all.Go(func() { errs[i] = check(".", platform) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct {
		Main      bool
		GoVersion string
	}
}

// check type-checks the module in a folder for GOOS/GOARCH. The error has a line for each mistake.
func check(dir, platform string) error {
	system, arch, _ := strings.Cut(platform, "/")
	sizes := types.SizesFor("gc", arch)
	if sizes == nil {
		return fmt.Errorf("%s: want GOOS/GOARCH", platform)
	}
	list := exec.Command("go", "list", "-deps", "-test", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", "./...")
	list.Dir = dir
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
	list.Stderr = os.Stderr
	out, err := list.StdoutPipe()
	if err != nil {
		return err
	}
	if err := list.Start(); err != nil {
		return err
	}
	c := checker{sizes: sizes, known: map[string]*types.Package{"unsafe": types.Unsafe}}
	for dec := json.NewDecoder(out); ; { // what is imported comes before who imports it
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s: reading what go list tells: %w", platform, err)
		}
		c.add(&p)
	}
	if err := list.Wait(); err != nil {
		return fmt.Errorf("%s: go list: %w", platform, err)
	}
	for i, err := range c.errs {
		c.errs[i] = fmt.Errorf("%s: %w", platform, err)
	}
	return errors.Join(c.errs...)
}

type checker struct {
	sizes types.Sizes
	known map[string]*types.Package
	errs  []error
}

// add type-checks a package whose imports are known.
func (c *checker) add(p *listed) {
	if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") { // a main that go test would write
		return
	}
	ours := p.Module != nil && p.Module.Main
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			c.errs = append(c.errs, err)
			return
		}
		files = append(files, f)
	}
	how := types.Config{
		IgnoreFuncBodies: !ours, Sizes: c.sizes, FakeImportC: true,
		Importer: importer(func(path string) (*types.Package, error) {
			if to := p.ImportMap[path]; to != "" {
				path = to
			}
			if known := c.known[path]; known != nil {
				return known, nil
			}
			return nil, fmt.Errorf("%s is not there", path)
		}),
		Error: func(err error) {
			if ours {
				c.errs = append(c.errs, err)
			}
		},
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		how.GoVersion = "go" + p.Module.GoVersion
	}
	path, _, _ := strings.Cut(p.ImportPath, " [") // a test's variant
	c.known[p.ImportPath], _ = how.Check(path, set, files, nil)
}

type importer func(path string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }
