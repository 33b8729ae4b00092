//go:build interop

package interop_test

import (
	"os/exec"
	"testing"
)

// The alerts of the examples are taken by Prometheus and say what their tests want.
func TestAlerts(t *testing.T) {
	need(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "../../examples/prometheus/sidetrack-alerts.yaml"},
		{"test", "rules", "../../examples/prometheus/sidetrack-alerts.test.yaml"},
	} {
		out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
		if err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
