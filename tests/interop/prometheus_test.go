//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
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

// Each query of the dashboard is one that Prometheus understands.
func TestDashboardQueries(t *testing.T) {
	need(t, "promtool")
	text, err := os.ReadFile("../../examples/grafana/sidetrack.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$instance", "a|b", "$recorder", "main", "$__rate_interval", "5m")
	type rule struct{ Record, Expr string }
	var rules []rule
	for _, p := range board.Panels {
		for i, target := range p.Targets {
			expr := variables.Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %d: an unknown variable in %s", p.ID, expr)
			}
			rules = append(rules, rule{fmt.Sprintf("panel:%d:%d", p.ID, i), expr})
		}
	}
	if len(rules) < 30 {
		t.Fatalf("%d queries", len(rules))
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	out, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
