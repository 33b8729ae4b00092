package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
	"sidetrack/tests/peer"
)

// T1 of the system under test: shorter than RFC 3261's, since peers repeat nothing and what is lost is lost on purpose. As
// 64*T1 ends a call whose party says nothing, and parties of a busy machine are slow, short is for those who wait for that.
const (
	usualT1 = 150 * time.Millisecond
	shortT1 = 50 * time.Millisecond
)

// System is the whole product, running in this process.
type System struct {
	SIP  netip.AddrPort // its UDP and TCP listeners
	HTTP string         // http://host:port

	t      *testing.T
	app    *app.App
	stop   sync.Once
	logged *logBuffer
}

// Start runs the system with that configuration and stops it at the end of the test.
func Start(t *testing.T, ladder *peer.Ladder, yaml string) *System {
	t.Helper()
	return startWith(t, ladder, yaml, app.Options{})
}

// startWith has options that a configuration does not hold; T1 is the usual one unless given.
func startWith(t *testing.T, ladder *peer.Ladder, yaml string, opt app.Options) *System {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sidetrack.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, problems := config.Load(file, os.LookupEnv)
	for _, p := range problems {
		t.Errorf("configuration: %v", p)
	}
	if cfg == nil || t.Failed() {
		t.Fatalf("the configuration is not accepted:\n%s", yaml)
	}
	logged := &logBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the system's log:\n%s", logged.tail(120))
		}
	})
	opt.Portable = opt.Portable || os.Getenv("PORTABLE") != "" // make interop-portable
	opt.Log, opt.Version, opt.T1 = slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug})), "test", or(opt.T1, usualT1)
	system, err := app.New(cfg, opt)
	if err != nil {
		t.Fatalf("building the system: %v", err)
	}
	if err := system.Start(); err != nil {
		t.Fatalf("starting the system: %v", err)
	}
	s := &System{t: t, app: system, logged: logged, HTTP: "http://" + system.HTTPAddr().String()}
	for _, l := range system.Listeners() {
		s.SIP = l.Bound
		ladder.Name(netip.AddrPortFrom(l.Bound.Addr(), 0), "system")
	}
	t.Cleanup(func() { s.Stop() })
	return s
}

// Stop drains and stops the system; it returns when nothing of it runs any more. Only the first call does something.
func (s *System) Stop() {
	s.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 4*peer.Patience)
		defer cancel()
		if err := s.app.Stop(ctx); err != nil {
			s.t.Errorf("stopping the system: %v", err)
		}
	})
}

// Empty waits until the system holds no call, no live recording and no media port.
func (s *System) Empty() {
	s.t.Helper()
	if len(s.app.Listeners()) == 0 {
		return // stopped by the scenario itself
	}
	holds := func() string {
		ports := s.app.MediaPorts()
		switch {
		case len(s.list("/api/v1/calls")) > 0:
			return "calls"
		case len(s.live()) > 0:
			return "recordings"
		case s.metric("sidetrack_calls_active") != 0:
			return "sidetrack_calls_active"
		case s.sum("sidetrack_recordings_active") != 0:
			return "sidetrack_recordings_active"
		case ports.Used != 0:
			return "media ports in use"
		}
		return ""
	}
	if !peer.Eventually(func() bool { return holds() == "" }) {
		s.t.Errorf("the system still holds %s: calls %v, recordings %v, ports %+v",
			holds(), s.list("/api/v1/calls"), s.live(), s.app.MediaPorts())
	}
}

// item is an object of the API.
type item map[string]any

func (i item) str(key string) string {
	s, _ := i[key].(string)
	return s
}

// list is a collection of the API.
func (s *System) list(path string) []item {
	s.t.Helper()
	status, body := s.get(path)
	var page struct {
		Items []item `json:"items"`
	}
	if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
		s.t.Errorf("GET %s: %d, %v: %s", path, status, err, body)
	}
	return page.Items
}

// recordings is every recording session that the API tells of, live ones and recently ended ones.
func (s *System) recordings() []item { return s.list("/api/v1/recordings") }

// live is those that have not ended.
func (s *System) live() []item {
	var live []item
	for _, r := range s.recordings() {
		if r.str("state") != "ended" {
			live = append(live, r)
		}
	}
	return live
}

func (s *System) get(path string) (int, []byte) {
	s.t.Helper()
	return s.do(http.MethodGet, path)
}

func (s *System) do(method, path string) (int, []byte) {
	s.t.Helper()
	return s.doBody(method, path, "")
}

func (s *System) doBody(method, path, body string) (int, []byte) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.HTTP+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true // an idle connection would be a goroutine left
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return 0, nil
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, answer
}

// metric is the value of one series, its labels written as in the exposition; 0 when it is not there.
func (s *System) metric(series string) float64 {
	_, body := s.get("/metrics")
	for line := range strings.SplitSeq(string(body), "\n") {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, _ := strconv.ParseFloat(rest, 64)
			return v
		}
	}
	return 0
}

// sum is the sum over every series of that name whose labels hold each of the given ones, such as `code="408"`.
func (s *System) sum(name string, labels ...string) float64 {
	_, body := s.get("/metrics")
	return peer.MetricSum(body, name, labels...)
}

// logBuffer keeps the system's log for the case of failure.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) tail(lines int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.Split(strings.TrimRight(l.b.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
