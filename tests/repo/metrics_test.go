package repo_test

import (
	"context"
	"fmt"
	"go/ast"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
)

// promised is the metrics that dashboards and scripts depend on, with the labels of each.
var promised = map[string][]string{
	"sidetrack_build_info": nil, "sidetrack_calls_active": nil, "sidetrack_calls_total": {"result"},
	"sidetrack_call_setup_seconds": nil, "sidetrack_recordings_active": {"recorder"},
	"sidetrack_recordings_total":        {"recorder", "result"},
	"sidetrack_recording_start_seconds": {"recorder"}, "sidetrack_srs_attempts_total": {"recorder", "srs", "code"},
	"sidetrack_srs_failovers_total": {"recorder"}, "sidetrack_srs_up": {"recorder", "srs"},
	"sidetrack_recording_pauses_total": {"recorder", "cause"}, "sidetrack_rtp_packets_total": {"direction"},
	"sidetrack_fork_packets_total": {"recorder"}, "sidetrack_fork_dropped_packets_total": {"recorder", "reason"},
	"sidetrack_media_ports": {"state"}, "sidetrack_sip_messages_total": {"direction", "method", "code"},
	"sidetrack_sip_rejected_total": {"reason"}, "sidetrack_config_last_reload_successful": nil,
	"sidetrack_config_last_reload_success_timestamp_seconds": nil,
}

var metricName = regexp.MustCompile(`^sidetrack(_[a-z0-9]+)+$`)

// named is every metric name written in the product's source.
func named(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, s := range sources(t) {
		if s.test() || s.tests() {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				if value, err := strconv.Unquote(lit.Value); err == nil && metricName.MatchString(value) {
					names[value] = s.path
				}
			}
			return true
		})
	}
	return names
}

func TestMetricsAreDocumented(t *testing.T) {
	paper, err := os.ReadFile(filepath.Join(root, "docs/metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := named(t)
	for name, file := range names {
		if !strings.Contains(string(paper), "`"+name) {
			t.Errorf("%s (%s) is not in docs/metrics.md", name, file)
		}
	}
	for name := range promised {
		if names[name] == "" {
			t.Errorf("%s is promised and made nowhere", name)
		}
	}
	for _, m := range regexp.MustCompile("`(sidetrack_[a-z0-9_]+)").FindAllStringSubmatch(string(paper), -1) {
		if names[m[1]] == "" && !strings.HasSuffix(m[1], "_") { // a prefix stands for a family
			t.Errorf("docs/metrics.md tells of %s, which nobody makes", m[1])
		}
	}
}

// A running system's exposition is clean by Prometheus's own linter, and no label names a call, a number or a port.
func TestMetricsLint(t *testing.T) {
	text := exposition(t)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sidetrack_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	label := regexp.MustCompile(`([a-z_]+)="`)
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "sidetrack_") {
			continue
		}
		name, _, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		for _, m := range label.FindAllStringSubmatch(line, -1) {
			if slices.Contains([]string{"call", "call_id", "from", "to", "port", "peer", "address"}, m[1]) {
				t.Errorf("%s has the unbounded label %s", name, m[1])
			}
			if labels, ok := promised[name]; ok && name != "sidetrack_build_info" && !slices.Contains(labels, m[1]) {
				t.Errorf("%s has the label %s, promised are %v", name, m[1], labels)
			}
		}
	}
}

func exposition(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sidetrack.yaml")
	ip := fmt.Sprintf("127.42.%d.1", os.Getpid()%250+1)
	yaml := fmt.Sprintf(`
sip: {listen: ["udp://%[1]s:5060"], trusted: [127.0.0.0/8]}
routes: [{to: "sip:%[1]s:5070"}]
media: {listen: %[1]s, ports: 25000-25099}
recorders: {main: {srs: "sip:%[1]s:5090"}}
recording: [{recorder: main}]
http: {listen: "%[1]s:8080"}
journal: {file: %[2]q}
webhooks: {queue: %[3]q, hooks: [{name: crm, url: "http://%[1]s:9/", secret: "0123456789abcdefg"}]}
hep: {address: "udp://%[1]s:9"}
tracing: {otlp: "http://%[1]s:9"}
`, ip, filepath.Join(t.TempDir(), "journal.db"), t.TempDir())
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load(file, os.LookupEnv)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	system, err := app.New(cfg, app.Options{Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := system.Start(); err != nil {
		t.Fatal(err)
	}
	defer system.Stop(context.Background())
	resp, err := http.Get("http://" + ip + ":8080/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
