package repo_test

import (
	"os"
	"strings"
	"testing"
)

// The systemd unit lets the process have the priority that it gives it: @resources, which it
// takes away, has setpriority.
func TestServiceMayHasten(t *testing.T) {
	b, err := os.ReadFile(root + "/examples/sidetrack.service")
	if err != nil {
		t.Fatal(err)
	}
	allowed, limit := true, false
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case key == "LimitNICE":
			limit = true
		case key == "SystemCallFilter" && strings.HasPrefix(value, "~"):
			allowed = allowed && !strings.Contains(value, "@resources")
		case key == "SystemCallFilter" && strings.Contains(value, "setpriority"):
			allowed = true
		}
	}
	if limit && !allowed {
		t.Error("LimitNICE is given, and setpriority is not allowed")
	}
}
