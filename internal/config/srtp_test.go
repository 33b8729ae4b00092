package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

// What is said of SRTP beside where its keys go.
func TestSRTPWarnings(t *testing.T) {
	for _, c := range []struct{ srs, lines, warning string }{
		{"sip:198.51.100.7;transport=tls", "srtp: required", ""},
		{"sip:srs.example.com", "srtp: required", ""}, // DNS may say TLS
		{"sip:198.51.100.7", "srtp: off", ""},
		{"sip:198.51.100.7", "srtp: optional", "has no effect"},
		{"sip:198.51.100.7", "{srtp: required, srtp_over_plain: true}", "without TLS"},
	} {
		extra := strings.Trim(c.lines, "{}")
		text := "sip:\n  listen: [udp://192.0.2.1:5060]\n  trusted: [192.0.2.0/24]\nroutes:\n  - to: sip:192.0.2.20:5060\nrecorders:\n" +
			"  main: {srs: \"" + c.srs + "\", " + extra + "}\nrecording:\n  - recorder: main\n"
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, problems := config.Load(file, func(string) (string, bool) { return "", false })
		if len(problems) > 0 {
			t.Errorf("%s, %s: %v", c.srs, c.lines, problems)
			continue
		}
		said := ""
		for _, w := range cfg.Warnings {
			if strings.Contains(fmt.Sprint(w), "srtp") {
				said += fmt.Sprint(w)
			}
		}
		if c.warning == "" && said != "" || !strings.Contains(said, c.warning) {
			t.Errorf("%s, %s: warned %q, want %q", c.srs, c.lines, said, c.warning)
		}
	}
}
