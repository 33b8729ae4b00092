package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// checked is the command that the head of an example gives, behind the environment that it wants.
var checked = regexp.MustCompile(`(?m)^#.*?((?:[A-Z_]+=\S+ )*)sidetrack (check .*)$`)

// Each example says in its head how to look at what it would do, and that works as it stands, on any host: what
// is told beyond is that a host may have several addresses.
func TestExamplesAsAnOperator(t *testing.T) {
	_, both := own(t)
	pem := filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(pem, both, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir("../..")
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) < 12 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(text), "\n\n")
			m := checked.FindStringSubmatch(head)
			if m == nil || !strings.HasSuffix(m[2], " --config "+name) {
				t.Fatalf("its head gives no command to check it: %q", m)
			}
			for _, set := range strings.Fields(m[1]) {
				key, value, _ := strings.Cut(set, "=")
				if strings.HasPrefix(value, "$PWD/") { // the files that the head has openssl make
					value = pem
				}
				t.Setenv(key, value)
			}
			status, out, told := try(strings.Fields(m[2])...)
			for line := range strings.Lines(told) {
				if !strings.Contains(line, "this host has several addresses") {
					t.Errorf("told: %s", line)
				}
			}
			if status != 0 || !strings.Contains(out, "Recording rules") {
				t.Errorf("sidetrack %s: %d\n%s", m[2], status, out)
			}
		})
	}
}
