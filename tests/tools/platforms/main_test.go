package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What one platform lacks, in the product or in a test of it, is found there and nowhere else.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                "module m\n\ngo 1.24\n",
		"a.go":                  "package m\n\nvar A = b\n",
		"b_linux.go":            "package m\n\nconst b = 1\n",
		"b_darwin.go":           "package m\n\nconst b = 2\n",
		"in_internal_test.go":   "package m\n\nimport _ \"errors\"\n\nconst in = b\n",
		"out_test.go":           "package m_test\n\nimport \"m\"\n\nvar _ = m.A + m.Out\n",
		"out_internal_test.go":  "package m\n\nvar Out = in\n",
		"deep/d_freebsd.go":     "package deep\n\nimport \"m\"\n\nvar _ = m.A\n",
		"deep/d_test.go":        "package deep\n\nconst two = 2\n",
		"deep/e_darwin_test.go": "package deep\n\nfunc f() int { return three }\n",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for platform, want := range map[string]string{
		"linux/arm64":   "",
		"darwin/arm64":  "undefined: three",
		"freebsd/amd64": "undefined: b",
		"linux":         "GOOS/GOARCH",
	} {
		err := check(dir, platform)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", platform, err, want)
		}
	}
}
