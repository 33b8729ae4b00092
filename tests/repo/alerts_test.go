package repo_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alerts is the text of each alert of the example, by name.
func alerts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, text := range strings.Split(example(t, "prometheus/sidetrack-alerts.yaml"), "- alert: ")[1:] {
		name, rest, _ := strings.Cut(text, "\n")
		all[name] = rest
	}
	if len(all) < 20 {
		t.Fatalf("%d alerts", len(all))
	}
	return all
}

// Each alert has a case for promtool in which it fires.
func TestAlertsAreTried(t *testing.T) {
	cases := example(t, "prometheus/sidetrack-alerts.test.yaml")
	for name := range alerts(t) {
		if !regexp.MustCompile(`alertname: ` + name + `\n +exp_alerts:\n +- exp_labels:`).MatchString(cases) {
			t.Errorf("%s fires in no case", name)
		}
	}
}

// queries is each expression of alerts and dashboard, with what its labels are written into, by where it stands.
func queries(t *testing.T) map[string][2]string {
	t.Helper()
	all := map[string][2]string{}
	for name, text := range alerts(t) {
		text, _, _ = strings.Cut(text, "# ")
		expr, rest, _ := strings.Cut(text, "labels: {severity")
		all[name] = [2]string{expr, strings.ReplaceAll(rest, "$labels.", "")}
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(example(t, "grafana/sidetrack.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			all[p.Title+" "+target.LegendFormat] = [2]string{target.Expr, target.LegendFormat}
		}
	}
	if len(all) < 50 {
		t.Fatalf("%d queries", len(all))
	}
	return all
}

// documented is the labels of each metric by docs/metrics.md.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(sidetrack_[a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		labels := []string{"instance", "job"} // Prometheus adds them
		if strings.HasPrefix(row[2], "histogram") {
			labels = append(labels, "le")
		}
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[2], -1) {
			labels = append(labels, m[1])
		}
		all[row[1]] = labels
	}
	return all
}

// Labels by which alerts and dashboard choose, sum or write are those of the metrics that they ask for, and these are those
// of a running system.
func TestLabelsOfQueries(t *testing.T) {
	known, labels := named(t), documented(t)
	word := regexp.MustCompile(`[a-z_]+`)
	for at, q := range queries(t) {
		var any []string // labels of one of the metrics
		for _, m := range regexp.MustCompile(`\b((?:sidetrack|process)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?`).FindAllStringSubmatch(q[0], -1) {
			has := labels[family(m[1], known)]
			if has == nil {
				has = []string{"instance", "job"}
			}
			any = append(any, has...)
			for _, match := range regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(has, match[1]) {
					t.Errorf("%s: %s has no label %s", at, m[1], match[1])
				}
			}
		}
		if len(any) == 0 {
			t.Errorf("%s asks for nothing: %s", at, q[0])
		}
		for _, by := range regexp.MustCompile(`\bby \(([^)]*)\)`).FindAllStringSubmatch(q[0], -1) {
			for _, label := range word.FindAllString(by[1], -1) {
				if !slices.Contains(any, label) {
					t.Errorf("%s: nothing has the label %s", at, label)
				}
			}
		}
		// The outermost aggregation leaves these labels.
		left := any
		if m := regexp.MustCompile(`\b(?:sum|max|min|count)\b(?: by \(([^)]*)\))?`).FindStringSubmatch(q[0]); m != nil {
			left = word.FindAllString(m[1], -1)
		}
		for _, m := range regexp.MustCompile(`\{\{ ?([a-z_]+) ?\}\}`).FindAllStringSubmatch(q[1], -1) {
			if !slices.Contains(left, m[1]) {
				t.Errorf("%s writes %s, and has %v", at, m[1], left)
			}
		}
	}
	for name, has := range series(t) {
		for _, of := range has {
			for label := range of {
				if !slices.Contains(append(labels[family(name, known)], "quantile"), label) {
					t.Errorf("%s has the label %s, which docs/metrics.md does not name", name, label)
				}
			}
		}
	}
}

// series is the labels of all series of a system that has just begun.
func series(t *testing.T) map[string][]map[string]string {
	t.Helper()
	all := map[string][]map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^(sidetrack_[a-z0-9_]+)(?:\{(.*)\})? `).FindAllStringSubmatch(exposition(t), -1) {
		labels := map[string]string{}
		for _, m := range regexp.MustCompile(`([a-z_]+)="([^"]*)"`).FindAllStringSubmatch(line[2], -1) {
			labels[m[1]] = m[2]
		}
		all[line[1]] = append(all[line[1]], labels)
	}
	return all
}

// What rises from nothing has not risen for Prometheus: a counter that an alert watches is there from the beginning, for each
// value that the alert names.
func TestAlertsSeeTheFirst(t *testing.T) {
	there := series(t)
	seen := 0
	for name, text := range alerts(t) {
		for _, m := range regexp.MustCompile(`(?:increase|rate)\((sidetrack_[a-z0-9_]+)(?:\{([a-z]+)=~?"([^"]*)"\})?`).FindAllStringSubmatch(text, -1) {
			seen++
			if m[1] == "sidetrack_fork_dropped_packets_total" {
				continue // there with a recorder's first recording, before a copy can be lost
			}
			if len(there[m[1]]) == 0 {
				t.Errorf("%s: a first %s is not seen", name, m[1])
			}
			for value := range strings.SplitSeq(m[3], "|") {
				if m[2] != "" && !slices.ContainsFunc(there[m[1]], func(l map[string]string) bool { return l[m[2]] == value }) {
					t.Errorf("%s: a first %s of %s %s is not seen", name, m[1], m[2], value)
				}
			}
		}
	}
	if seen < 14 {
		t.Errorf("%d counters", seen)
	}
}
