package config_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

const examples = "../../examples"

func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(files) < 6 {
		t.Fatal(err, files)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cfg, problems := config.LoadWith(path, options(t))
			if cfg == nil {
				t.Fatal(problems)
			}
			for _, w := range cfg.Warnings {
				// The host that runs it may have several addresses; nothing else is left to warn of.
				if w.Key != "sip.listen" {
					t.Errorf("an example that warns: %s", w)
				}
			}
		})
	}
}

// The first file that a stranger sees fits on a screen.
func TestMinimalIsShort(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(examples, "minimal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(data, []byte("\n")); n > 24 {
		t.Errorf("%d lines", n)
	}
}

func TestDescribe(t *testing.T) {
	for name, file := range map[string]string{
		"full":       filepath.Join(examples, "full.yaml"),
		"minimal":    filepath.Join(examples, "minimal.yaml"),
		"compliance": filepath.Join(examples, "compliance-required.yaml"),
		"other":      "testdata/other.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			cfg, problems := config.LoadWith(file, options(t))
			if cfg == nil {
				t.Fatal(problems)
			}
			var out bytes.Buffer
			cfg.Describe(&out)
			got := strings.ReplaceAll(out.String(), tlsDir(cfg), "TLS")
			if strings.Contains(got, "hush") || strings.Contains(got, "s3cret") {
				t.Errorf("tells a secret:\n%s", got)
			}
			for i, line := range strings.Split(got, "\n") {
				if strings.TrimRight(line, " ") != line {
					t.Errorf("line %d ends in blanks", i+1)
				}
			}
			golden(t, filepath.Join("testdata", "describe-"+name+".txt"), got)
		})
	}
}

// tlsDir is the directory that changes from run to run.
func tlsDir(cfg *config.Config) string {
	if cfg.SIP.TLS == nil || cfg.SIP.TLS.Certificate == "" {
		return "no such text"
	}
	return filepath.Dir(cfg.SIP.TLS.Certificate)
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
