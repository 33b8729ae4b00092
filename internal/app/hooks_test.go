package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/config"
)

// listener is a program that takes events and can be killed.
type listener struct {
	mu     sync.Mutex
	server *httptest.Server
	ids    []string
	seqs   []string // Sidetrack-Sequence of each
	events []map[string]any
}

func (l *listener) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	if slices.Contains(l.ids, id) {
		return // came again: its answer was lost
	}
	l.ids, l.seqs, l.events = append(l.ids, id), append(l.seqs, r.Header.Get("Sidetrack-Sequence")), append(l.events, event)
}

// kinds is the types of what came, "call.start c1" and so on.
func (l *listener) kinds() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, e := range l.events {
		all = append(all, fmt.Sprint(e["type"]))
	}
	return all
}

func (l *listener) kill() {
	l.server.CloseClientConnections()
	l.server.Close()
}

func (l *listener) revive(t *testing.T, addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	l.server = &httptest.Server{Listener: ln, Config: &http.Server{Handler: l}}
	l.server.Start()
}

// The receiver of events is killed while calls go on: they are not touched, and
// when it is back it gets every event, in order, once by its id, numbered without a
// gap, with the fields of OpenSIPS's events.
func TestWebhookReceiverIsKilled(t *testing.T) {
	l := &listener{}
	l.revive(t, home(8)+":0")
	t.Cleanup(func() { l.kill() })
	addr := l.server.Listener.Addr().String()
	s := open(t, "http: {listen", fmt.Sprintf(`webhooks:
  queue: %s
  hooks: [{name: crm, url: "http://%s/", secret: "0123456789abcdefg", timeout: 1s}]
http: {listen`, t.TempDir(), addr))
	calls := 0
	talk := func() {
		s.eventually("ports are free", func() bool {
			free, err := strconv.Atoi(s.metric(`sidetrack_media_ports{state="free"}`))
			return err == nil && free >= 8
		})
		left, right := s.call()
		calls++
		bye := left.Send("BYE")
		right.AnswerBye()
		bye.Expect(200)
	}
	talk()
	s.eventually("the first call is told", func() bool { return slices.Contains(l.kinds(), "recording.verdict") })
	l.kill()
	for began := time.Now(); calls < 6 || time.Since(began) < deadFor(t); {
		talk()
	}
	s.eventually("the receiver is missed", func() bool { return s.metric(`sidetrack_webhook_requests_total{hook="crm",result="failed"}`) != "0" })
	l.revive(t, addr)
	talk()
	s.eventually("all recordings have ended", func() bool { return s.sessions.Ended() == calls })
	queued := func() string { return s.metric(`sidetrack_webhook_queue_events{hook="crm"}`) }
	for left := queued(); left != "0"; left = queued() {
		s.eventually("more is told", func() bool { return queued() != left })
	}
	s.eventually("all is told", func() bool {
		n := 0
		for _, k := range l.kinds() {
			if k == "recording.verdict" {
				n++
			}
		}
		return n == calls && queued() == "0"
	})
	s.stop(context.Background())
	if !slices.IsSorted(l.ids) { // of the same length
		t.Errorf("out of order: %v", l.ids)
	}
	for i, seq := range l.seqs {
		if seq != strconv.Itoa(i+1) {
			t.Fatalf("event %d has the sequence %q: %v", i+1, seq, l.seqs)
		}
	}
	fields := map[string][]string{}
	for _, e := range l.events {
		for name, v := range e {
			if v != "" {
				fields[e["type"].(string)] = append(fields[e["type"].(string)], name)
			}
		}
	}
	for _, kind := range []string{"recording.start", "recording.stop"} {
		for _, name := range []string{"dlg_id", "dlg_callid", "callid", "session_id", "server", "instance", "time"} {
			if !slices.Contains(fields[kind], name) {
				t.Errorf("%s lacks %s", kind, name)
			}
		}
	}
	counted := map[string]int{}
	for _, k := range l.kinds() {
		counted[k]++
		if !slices.Contains(config.EventTypes, k) {
			t.Errorf("%s is no type that can be asked for", k)
		}
	}
	for _, kind := range []string{"call.initiated", "call.start", "call.stop", "recording.start", "recording.stop", "recording.verdict"} {
		if counted[kind] != calls {
			t.Errorf("%d × %s of %d calls", counted[kind], kind, calls)
		}
		delete(counted, kind)
	}
	if len(counted) > 0 {
		t.Errorf("nobody asked for %v", counted)
	}
	t.Logf("%d calls, %d events", calls, len(l.ids))
}

// deadFor is how long the receiver stays away: as long as WEBHOOK_DEAD says.
func deadFor(t *testing.T) time.Duration {
	t.Helper()
	said := os.Getenv("WEBHOOK_DEAD")
	if said == "" {
		return 0
	}
	d, err := time.ParseDuration(said)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The papers and the configuration name the same events.
func TestEventTypesAreDescribed(t *testing.T) {
	doc, _ := paper(t)
	var described []string
	for _, v := range doc.Components.Schemas["Event"].Value.Properties["type"].Value.Enum {
		described = append(described, v.(string))
	}
	if !slices.Equal(described, config.EventTypes) {
		t.Errorf("openapi.yaml: %v, configuration: %v", described, config.EventTypes)
	}
}
