package repo_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var mentioned = regexp.MustCompile(`\bsidetrack_[a-z0-9_]+`)

// family is the metric behind a series of a histogram or summary.
func family(series string, known map[string]string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(series, suffix); ok && known[name] != "" {
			return name
		}
	}
	return series
}

// Alerts and dashboard ask for metrics that exist.
func TestAlertsAndDashboardKnowTheMetrics(t *testing.T) {
	known := named(t)
	for _, name := range []string{"examples/prometheus/sidetrack-alerts.yaml", "examples/prometheus/sidetrack-alerts.test.yaml", "examples/grafana/sidetrack.json"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		found := mentioned.FindAllString(string(text), -1)
		if len(found) < 10 {
			t.Errorf("%s mentions %d metrics", name, len(found))
		}
		for _, series := range found {
			if known[family(series, known)] == "" {
				t.Errorf("%s asks for %s, which nobody makes", name, series)
			}
		}
	}
}

// Each panel of the dashboard has a place of its own, a title, and something to show.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "examples/grafana/sidetrack.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if p.Title == "" || ids[p.ID] || p.Type != "row" && (len(p.Targets) == 0 || p.Targets[0].Expr == "") {
			t.Errorf("panel %d %q: without title, query or id of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" || at[0] > 23 {
					t.Fatalf("%q lies upon %q at %v", p.Title, taken[at], at)
				}
				taken[at] = p.Title
			}
		}
	}
}
