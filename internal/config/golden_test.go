package config_test

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

var update = flag.Bool("update", false, "write what the tests got into their files")

// mark begins the lines of a file that hold what must be said about it.
const mark = "#! "

// TestBad loads one file per mistake. What must be reported stands at the end
// of each, whole, behind #!.
func TestBad(t *testing.T) {
	each(t, "testdata/bad/*.yaml", func(t *testing.T, path string, opt config.Options) config.Problems {
		cfg, problems := config.LoadWith(path, opt)
		if cfg != nil {
			t.Error("a Config in spite of the mistakes")
		}
		return problems
	})
}

// TestWarnings does the same for what is allowed and seldom meant.
func TestWarnings(t *testing.T) {
	each(t, "testdata/warn/*.yaml", func(t *testing.T, path string, opt config.Options) config.Problems {
		cfg, problems := config.LoadWith(path, opt)
		if cfg == nil {
			t.Fatalf("not loaded:\n%s", problems)
		}
		return cfg.Warnings
	})
}

func each(t *testing.T, glob string, load func(*testing.T, string, config.Options) config.Problems) {
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	opt := options(t)
	dir, _ := opt.Env("TLS")
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			got := load(t, path, opt).String()
			got = strings.ReplaceAll(got, path, "FILE")
			got = strings.ReplaceAll(got, dir, "TLS")
			if strings.Contains(got, "hush") {
				t.Errorf("tells a secret:\n%s", got)
			}
			compare(t, path, got)
		})
	}
}

// compare holds got against the marked lines of the file.
func compare(t *testing.T, path, got string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, want, _ := strings.Cut(string(data), mark)
	want = strings.TrimSpace(strings.ReplaceAll(want, "\n"+mark, "\n"))
	if *update {
		if got != "" {
			text += mark + strings.ReplaceAll(got, "\n", "\n"+mark) + "\n"
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// options are surroundings that do not change from host to host.
func options(t testing.TB) config.Options {
	dir := certificates(t)
	env := map[string]string{
		"ALICE": "hush", "TLS_CERTIFICATE": filepath.Join(dir, "cert.pem"), "TLS_KEY": filepath.Join(dir, "key.pem"), // of the examples
		"SECRET": "hush", "BITS": "10.99.98.97/8", "TLS": dir, "LISTEN": "udp://192.0.2.1:5060", "LOG_FORMAT": "json", "UNIT": "m",
	}
	return config.Options{
		Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Addresses: func() []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("172.17.0.1")}
		},
	}
}
