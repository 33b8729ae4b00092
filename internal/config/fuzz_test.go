package config_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

// FuzzLoad: no text makes the reader panic; it gives a Config that can be
// described or at least one problem, each on one line, and no secret.
func FuzzLoad(f *testing.F) {
	for _, glob := range []string{"testdata/*/*.yaml", "testdata/*.yaml", "../../examples/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			f.Fatal(err, glob)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			text, _, _ := strings.Cut(string(data), mark)
			f.Add([]byte(text))
		}
	}
	opt := options(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, problems := config.Parse("fuzz.yaml", data, opt)
		if (cfg == nil) != (len(problems) > 0) {
			t.Fatalf("Config %v with problems %v", cfg != nil, problems)
		}
		for _, p := range problems {
			if s := p.String(); strings.ContainsAny(s, "\n\r\x1b") || p.Line < 1 {
				t.Fatalf("not one line of text: %q", s)
			}
		}
		if cfg != nil {
			cfg.Describe(io.Discard)
		}
	})
}
