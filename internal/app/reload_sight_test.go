package app_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/store"
	"sidetrack/tests/peer"
)

// watcher takes what a proxy tells of its calls: HEP packets and spans.
type watcher struct {
	homer *net.UDPConn
	spans *httptest.Server

	mu    sync.Mutex
	taken map[string]string // all that came, by where
}

func watch(t *testing.T) *watcher {
	t.Helper()
	w := &watcher{taken: map[string]string{}}
	var err error
	if w.homer, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(home(8))}); err != nil {
		t.Fatal(err)
	}
	take := func(where string, b []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.taken[where] += string(b)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, err := w.homer.Read(b)
			if err != nil {
				return
			}
			take("homer", b[:n])
		}
	})
	w.spans = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		take("spans", b)
	}))
	t.Cleanup(func() {
		w.homer.Close()
		reading.Wait()
		w.spans.Close()
	})
	return w
}

func (w *watcher) has(where, text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.taken[where], text)
}

// hangUp ends a call, and returns once its recording has ended.
func (s *stage) hangUp(left, right *peer.Dialog) {
	s.t.Helper()
	ended, running := s.sessions.Ended(), s.running()
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	s.eventually("the recording ends", func() bool { return s.sessions.Ended() > ended && s.running() < running })
}

// What is told of calls begins and ends with a reload: messages that are kept, mirror, spans, journal, and numbers in the
// log. Nothing of it waits for a restart, and no call notices.
func TestReloadOfSight(t *testing.T) {
	w := watch(t)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.db"), filepath.Join(dir, "second.db")
	s := open(t, "drain: 30s", "trace: 0")
	seeing := func(journal string) string {
		return strings.Replace(text(s.names...), "trace: 0", "trace: 1MiB", 1) + `
hep: {address: "udp://` + w.homer.LocalAddr().String() + `", capture_id: 77}
tracing: {otlp: "` + w.spans.URL + `", service: edge}
journal: {file: ` + journal + `}
log: {redact: numbers, format: json}
`
	}
	left, right := s.call() // lives through all of it
	ladder := func() int {
		code, _ := s.get("/api/v1/calls/" + s.items("/api/v1/calls")[0]["id"].(string) + "/ladder")
		return code
	}
	journal := func() int { code, _ := s.get("/api/v1/journal"); return code }
	if ladder() != 404 || journal() != 404 {
		t.Errorf("before: ladder %d, journal %d", ladder(), journal())
	}

	if err := s.app.Reload(parse(t, seeing(first))); err != nil {
		t.Fatal(err)
	}
	if _, body := s.get("/api/v1/config"); !strings.Contains(body, `"restart":[]`) {
		t.Errorf("waits for a restart: %s", body)
	}
	said := len(s.log.String())
	s.hangUp(s.call())
	s.eventually("Homer has the call", func() bool { return w.has("homer", "INVITE sip:bob@pbx.test") && w.has("homer", `"result":"complete"`) })
	s.eventually("the journal has it", func() bool { return len(s.items("/api/v1/journal")) == 1 })
	if log := s.log.String()[said:]; strings.Contains(log, "sip:alice@") || !strings.Contains(log, "sip:***@") {
		t.Errorf("names in the log:\n%s", log)
	}

	// Another file: the row of the call before stays in the one before, which is closed whole.
	if err := s.app.Reload(parse(t, seeing(second))); err != nil {
		t.Fatal(err)
	}
	s.eventually("the new file is empty", func() bool { return journal() == 200 && len(s.items("/api/v1/journal")) == 0 })
	if n := rows(t, first); n != 1 {
		t.Errorf("%d rows in the first journal", n)
	}
	if ladder() != 404 {
		t.Error("there is a ladder of what nobody has kept")
	}
	// What cannot be opened changes nothing.
	if err := s.app.Reload(parse(t, seeing("/dev/null/x.db"))); err == nil || !strings.Contains(err.Error(), "journal.file: /dev/null/x.db") {
		t.Errorf("%v", err)
	}
	s.hangUp(left, right)
	s.eventually("its end is in the second journal", func() bool { return len(s.items("/api/v1/journal")) == 1 })

	if err := s.app.Reload(parse(t, text(s.names...))); err != nil {
		t.Fatal(err)
	}
	if journal() != 404 {
		t.Errorf("a journal is kept: %d", journal())
	}
	if n := rows(t, second); n != 1 {
		t.Errorf("%d rows in the second journal", n)
	}
	s.stop(context.Background()) // spans are collected for a while: now they must be there
	if !w.has("spans", "recording main") || !w.has("spans", "edge") {
		t.Error("no spans have come")
	}
}

// rows is how many recordings a journal tells of that nobody writes.
func rows(t *testing.T, file string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := store.OpenReader(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	page, _, err := r.List(ctx, store.Query{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return len(page)
}
