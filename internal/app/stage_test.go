package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/routers"
	"go.uber.org/goleak"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
	"sidetrack/tests/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// home is an address of this test run: two runs on one machine do not meet.
func home(n int) string { return fmt.Sprintf("127.43.%d.%d", os.Getpid()%250+1, n) }

// text is a configuration; with replaces parts of it, old and new in turn.
func text(with ...string) string {
	base := strings.ReplaceAll(`
sip:
  listen: [udp://HOME:0, tcp://HOME:0]
  trusted: [127.0.0.0/8]
  drain: 30s
routes:
  - {name: pbx, to: "sip:PBX"}
media: {listen: HOME, ports: 26000-26199}
recorders:
  main: {srs: "sip:SRS", timeout: 1s}
recording:
  - {name: all, recorder: main}
http: {listen: "HOME:0"}
`, "HOME", home(1))
	base = strings.NewReplacer(with...).Replace(base)
	return strings.NewReplacer("PBX", home(2)+":5060", "SRS", home(3)+":5060").Replace(base)
}

func parse(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, problems := config.Parse("test.yaml", []byte(yaml), config.Options{})
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, yaml)
	}
	return cfg
}

// stage is a system with a caller, a PBX and an SRS around it.
type stage struct {
	t           *testing.T
	app         *app.App
	caller, pbx *peer.Peer
	sessions    *peer.Sessions
	log         *lines
	names       []string // replacements that make the configuration fit the peers
	stopped     bool
	router      routers.Router // of the paper that answers are held against
}

func open(t *testing.T, with ...string) *stage {
	t.Helper()
	return openAs(t, app.Options{}, with...)
}

func openAs(t *testing.T, opt app.Options, with ...string) *stage {
	t.Helper()
	ladder := peer.NewLadder(t)
	s := &stage{t: t, log: &lines{}}
	s.caller, s.pbx = peer.New(t, ladder, "caller", home(4)), peer.New(t, ladder, "pbx", home(2))
	srs := peer.NewRecorder(t, ladder, "srs", home(3))
	s.sessions = srs.AcceptAll()
	s.names = append(with, "PBX", s.pbx.Addr().String(), "SRS", srs.Addr().String())
	_, s.router = paper(t)
	var err error
	opt.Log, opt.Version, opt.Commit, opt.T1 = s.log.logger(), "v1", "c1", 50*time.Millisecond
	s.app, err = app.New(parse(t, text(s.names...)), opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(context.Background()) })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s
}

// stop stops the system unless the test has done so.
func (s *stage) stop(ctx context.Context) {
	s.t.Helper()
	if s.stopped {
		return
	}
	s.stopped = true
	if err := s.app.Stop(ctx); err != nil {
		s.t.Errorf("stopping: %v", err)
	}
}

func (s *stage) sip() netip.AddrPort { return s.app.Listeners()[0].Bound }

func (s *stage) url(path string) string { return "http://" + s.app.HTTPAddr().String() + path }

func (s *stage) get(path string) (status int, body string) {
	s.t.Helper()
	req, _ := http.NewRequest("GET", s.url(path), nil)
	return s.do(req)
}

func (s *stage) post(path, body string) (int, string) {
	s.t.Helper()
	req, _ := http.NewRequest("POST", s.url(path), strings.NewReader(body))
	return s.do(req)
}

func (s *stage) do(req *http.Request) (int, string) {
	s.t.Helper()
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Errorf("%s: %v", req.URL, err)
		return 0, ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	s.asDescribed(req, resp, body)
	return resp.StatusCode, string(body)
}

// items is a list of the API.
func (s *stage) items(path string) []map[string]any {
	s.t.Helper()
	_, body := s.get(path)
	var page struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		s.t.Fatalf("%s: %v: %s", path, err, body)
	}
	return page.Items
}

// json reads an answer of the API.
func (s *stage) json(path string, into any) {
	s.t.Helper()
	_, body := s.get(path)
	if err := json.Unmarshal([]byte(body), into); err != nil {
		s.t.Fatalf("%s: %v: %s", path, err, body)
	}
}

// metric is the value of a series of /metrics; "" without it.
func (s *stage) metric(series string) string {
	s.t.Helper()
	_, body := s.get("/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return value
		}
	}
	return ""
}

func (s *stage) eventually(what string, holds func() bool) {
	s.t.Helper()
	if !peer.Eventually(holds) {
		s.t.Fatalf("never: %s\n%s", what, s.log)
	}
}

// dial sends an INVITE.
func (s *stage) dial(a *peer.Media) *peer.Outgoing {
	return s.caller.Invite(s.sip(), peer.Call{URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: a})})
}

// call is an answered call that is being recorded.
func (s *stage) call() (left, right *peer.Dialog) {
	s.t.Helper()
	before := s.sessions.Taken()
	a, b := peer.NewMedia(s.t, home(4), "call", "alice"), peer.NewMedia(s.t, home(2), "call", "bob")
	out := s.dial(a)
	in := s.pbx.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
	ok := out.Expect(200)
	left, right = out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	// The SRS has a session and its 200 has arrived here: a call that ends before that was not recorded.
	s.eventually("the call is recorded", func() bool {
		return s.sessions.Taken() > before && s.running() == s.sessions.Taken()-s.sessions.Ended()
	})
	return left, right
}

// running is how many recordings an SRS has taken and that go on.
func (s *stage) running() (n int) {
	s.t.Helper()
	_, body := s.get("/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if rest, ok := strings.CutPrefix(line, "sidetrack_recordings_active{"); ok {
			one, err := strconv.Atoi(rest[strings.LastIndexByte(rest, ' ')+1:])
			if err != nil {
				s.t.Fatalf("%q: %v", line, err)
			}
			n += one
		}
	}
	return n
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// taken binds a port that a system will want.
func taken(t *testing.T, network, address string) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.LocalAddr().String()
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
