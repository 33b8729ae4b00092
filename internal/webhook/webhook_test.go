package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"sidetrack/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret of the receiver"

// receiver is a program that takes events: it checks each signature and keeps what came.
type receiver struct {
	t      *testing.T
	server *httptest.Server
	status func(n int) int // of the n-th request, from 1

	mu    sync.Mutex
	asked int
	ids   []string
	seqs  []string
	data  []string
}

func receive(t *testing.T, status func(n int) int) *receiver {
	r := &receiver{t: t, status: status}
	r.server = httptest.NewServer(r)
	t.Cleanup(func() { r.server.Close() })
	return r
}

func always(status int) func(int) int { return func(int) int { return status } }

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	id, at := q.Header.Get("Webhook-Id"), q.Header.Get("Webhook-Timestamp")
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	if got := q.Header.Get("Webhook-Signature"); got != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		r.t.Errorf("signature %s does not fit", got)
	}
	if n, err := strconv.ParseInt(at, 10, 64); err != nil || time.Since(time.Unix(n, 0)).Abs() > time.Minute {
		r.t.Errorf("timestamp %s", at)
	}
	if q.Method != "POST" || q.Header.Get("Content-Type") != "application/json" || q.Header.Get("User-Agent") != "sidetrack/v1" {
		r.t.Errorf("%s %v", q.Method, q.Header)
	}
	r.asked++
	status := r.status(r.asked)
	if status/100 == 2 {
		r.ids, r.seqs, r.data = append(r.ids, id), append(r.seqs, q.Header.Get("Sidetrack-Sequence")), append(r.data, string(body))
	}
	w.Header().Set("Location", "http://127.0.0.1:1/")
	w.WriteHeader(status)
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.data)
}

// onceEach leaves out what came again under its id, as what was on its way when
// somebody died may; in all there were no more than most.
func (r *receiver) onceEach(most int) {
	r.t.Helper()
	if len(r.ids) > most {
		r.t.Errorf("%d deliveries", len(r.ids))
	}
	var ids, seqs, data []string
	for i, id := range r.ids {
		if !slices.Contains(ids, id) {
			ids, seqs, data = append(ids, id), append(seqs, r.seqs[i]), append(data, r.data[i])
		}
	}
	r.ids, r.seqs, r.data = ids, seqs, data
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func config(dir, url string) webhook.Config {
	return webhook.Config{
		Hooks: []webhook.Hook{{Name: "crm", URL: url, Secret: secret, Timeout: 5 * time.Second, GiveUp: time.Hour}},
		Dir:   dir, MaxSize: 8 << 20, UserAgent: "sidetrack/v1", Log: slog.New(slog.DiscardHandler),
		Backoff: func(int) time.Duration { return time.Millisecond },
	}
}

func open(t *testing.T, cfg webhook.Config) *webhook.Sender {
	t.Helper()
	s, err := webhook.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// closeNow closes without waiting for deliveries.
func closeNow(t *testing.T, s *webhook.Sender) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func number(i int) string { return fmt.Sprintf(`{"n":%d}`, i) }

// inOrder checks that what came is 0, 1, 2 … n-1, once each.
func inOrder(t *testing.T, got []string, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("%d events, want %d", len(got), n)
	}
	for i, d := range got {
		if d != number(i) {
			t.Fatalf("event %d is %s", i, d)
		}
	}
}

func TestEventsArriveInOrderAndOnlyThoseWanted(t *testing.T) {
	r, picky := receive(t, always(204)), receive(t, always(200))
	cfg := config(t.TempDir(), r.server.URL)
	other := cfg.Hooks[0]
	other.Name, other.URL, other.Events = "picky", picky.server.URL, []string{"recording.*", "call.stop"}
	cfg.Hooks = append(cfg.Hooks, other)
	s := open(t, cfg)
	kinds := []string{"call.start", "recording.start", "recording.stop", "call.stop", "call.stopped", "recordings"}
	for i := range 300 {
		s.Publish(uint64(1000+i), kinds[i%len(kinds)], []byte(number(i)))
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	inOrder(t, r.got(), 300)
	if r.ids[0] != "1000" || r.ids[299] != "1299" || r.seqs[0] != "1" || r.seqs[299] != "300" {
		t.Errorf("ids %s … %s, numbers %s … %s", r.ids[0], r.ids[299], r.seqs[0], r.seqs[299])
	}
	if got := picky.got(); len(got) != 150 || got[0] != number(1) || got[3] != number(7) {
		t.Errorf("%d events: %.60q", len(got), got)
	}
}

// A receiver that fails for a while, in every way, loses nothing and gets nothing out of order.
func TestReceiverThatFails(t *testing.T) {
	for name, status := range map[string]int{"busy": 503, "broken": 500, "slow down": 429, "away": 404, "moved": 302, "forbidden": 401} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, func(n int) int {
				if n <= 7 || n%3 == 0 {
					return status
				}
				return 200
			})
			s := open(t, config(t.TempDir(), r.server.URL))
			for i := range 50 {
				s.Publish(uint64(i), "x", []byte(number(i)))
			}
			eventually(t, "all arrived", func() bool { return len(r.got()) == 50 })
			closeNow(t, s)
			inOrder(t, r.got(), 50)
		})
	}
}

// A receiver that is killed and comes back on the same port, while events go on.
func TestReceiverThatIsKilled(t *testing.T) {
	r := receive(t, always(200))
	addr := r.server.Listener.Addr().String()
	s := open(t, config(t.TempDir(), r.server.URL))
	for i := range 100 {
		s.Publish(uint64(i), "x", []byte(number(i)))
	}
	eventually(t, "the first have arrived", func() bool { return len(r.got()) > 10 })
	r.server.CloseClientConnections()
	r.server.Close()
	for i := 100; i < 1000; i++ {
		s.Publish(uint64(i), "x", []byte(number(i)))
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	r.server = &httptest.Server{Listener: ln, Config: &http.Server{Handler: r}}
	r.server.Start()
	eventually(t, "all have arrived", func() bool { return slices.Contains(r.got(), number(999)) })
	closeNow(t, s)
	r.onceEach(1001)
	inOrder(t, r.data, 1000)
}

// What could not be delivered is delivered by the next process, from where the last one stopped.
func TestQueueSurvivesRestarts(t *testing.T) {
	dir := t.TempDir()
	up := false
	var mu sync.Mutex
	r := receive(t, func(int) int {
		mu.Lock()
		defer mu.Unlock()
		if up {
			return 200
		}
		return 503
	})
	n := 0
	pad := strings.Repeat("x", 3000) // several segments
	for range 3 {
		s := open(t, config(dir, r.server.URL))
		for range 200 {
			s.Publish(uint64(n), "x", fmt.Appendf(nil, `{"n":%d,"pad":%q}`, n, pad))
			n++
		}
		closeNow(t, s)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "crm", "*.jsonl"))
	if len(files) < 3 {
		t.Errorf("segments: %v", files)
	}
	// The process was killed while it wrote a line, and a line went bad.
	last := files[len(files)-1]
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, "garbage\n"+`{"seq":12,"id":`)
	f.Close()
	mu.Lock()
	up = true
	mu.Unlock()
	s := open(t, config(dir, r.server.URL))
	s.Publish(uint64(n), "x", []byte(`{"n":600}`))
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	r.onceEach(604) // one for each process
	got := r.got()
	if len(got) != 601 {
		t.Fatalf("%d events: %v", len(got), r.ids)
	}
	for i, d := range got {
		if !strings.HasPrefix(d, fmt.Sprintf(`{"n":%d`, i)) || r.ids[i] != strconv.Itoa(i) || r.seqs[i] != strconv.Itoa(i+1) {
			t.Fatalf("event %d: id %s, number %s, %.20s", i, r.ids[i], r.seqs[i], d)
		}
	}
	s = open(t, config(dir, r.server.URL))
	if err := s.Close(context.Background()); err != nil || len(r.got()) != 601 {
		t.Errorf("again: %d events, %v", len(r.got()), err)
	}
}

// A full queue keeps what it has, counts what it loses, and the numbers tell of it.
func TestFullQueue(t *testing.T) {
	var mu sync.Mutex
	up := false
	r := receive(t, func(int) int {
		mu.Lock()
		defer mu.Unlock()
		if up {
			return 200
		}
		return 503
	})
	cfg := config(t.TempDir(), r.server.URL)
	cfg.MaxSize = 100_000
	var said logged
	cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	reg := prometheus.NewPedanticRegistry()
	cfg.Registerer = reg
	s := open(t, cfg)
	body := []byte(`"` + strings.Repeat("x", 1000) + `"`)
	for i := range 200 {
		s.Publish(uint64(i), "x", body)
	}
	value := func(name string, labels ...string) float64 { return metric(t, reg, name, labels...) }
	eventually(t, "all are written or lost", func() bool {
		return value("sidetrack_webhook_queue_events", "crm")+value("sidetrack_webhook_dropped_total", "crm", "full") == 200
	})
	kept := int(value("sidetrack_webhook_queue_events", "crm"))
	eventually(t, "its age shows", func() bool { return value("sidetrack_webhook_queue_age_seconds", "crm") > 0 })
	eventually(t, "failures are counted", func() bool { return value("sidetrack_webhook_requests_total", "crm", "failed") > 0 })
	if kept < 50 || kept > 100 {
		t.Errorf("kept %d", kept)
	}
	mu.Lock()
	up = true
	mu.Unlock()
	eventually(t, "the queue is empty", func() bool { return value("sidetrack_webhook_queue_events", "crm") == 0 })
	s.Publish(200, "x", body)
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if len(r.got()) != kept+1 || r.seqs[kept-1] != strconv.Itoa(kept) || r.seqs[kept] != "201" {
		t.Errorf("%d came, kept %d, numbers …%v", len(r.got()), kept, r.seqs[kept-1:])
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n == 0 {
		t.Error(n, err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) != 0 {
		t.Error(problems, err)
	}
	if full, again := said.count("is full: events are lost to it"), said.count("has room again"); full != 1 || again != 1 {
		t.Errorf("told %d times that it is full, %d times that it is no more:\n%s", full, again, &said)
	}
}

// logged is a log.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logged) count(says string) int { return strings.Count(l.String(), says) }

// BenchmarkDelivery is one event from Publish to its receiver's answer, over the disk; in order, as ever.
func BenchmarkDelivery(b *testing.B) {
	taken := make(chan string, 1024)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		taken <- q.Header.Get("Webhook-Id")
	}))
	defer server.Close()
	cfg := config(b.TempDir(), server.URL)
	cfg.MaxSize = 64 << 20
	s, err := webhook.Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"type":"recording.start","filler":"` + strings.Repeat("x", 400) + `"}`)
	published := 0
	b.ReportAllocs()
	for i := range b.N {
		for published < b.N && published-i < 256 { // the disk is never far behind
			s.Publish(uint64(published), "x", body)
			published++
		}
		if id := <-taken; id != strconv.Itoa(i) {
			b.Fatalf("%s came as number %d", id, i)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	if err := s.Close(context.Background()); err != nil {
		b.Error(err)
	}
}

// metric is the value of a gauge or counter with these labels.
func metric(t *testing.T, reg prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			var have []string
			for _, l := range m.Label {
				have = append(have, l.GetValue())
			}
			if f.GetName() == name && slices.Equal(have, labels) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s %v", name, labels)
	return 0
}

// What a receiver will never take does not hold up the rest; nor does what is too old.
func TestWhatIsGivenUp(t *testing.T) {
	for _, status := range []int{400, 413, 422} {
		r := receive(t, func(n int) int {
			if n == 1 {
				return status
			}
			return 200
		})
		s := open(t, config(t.TempDir(), r.server.URL))
		s.Publish(1, "x", []byte(number(1)))
		s.Publish(2, "x", []byte(number(2)))
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if got := r.got(); len(got) != 1 || got[0] != number(2) || r.seqs[0] != "2" {
			t.Errorf("%d: %v", status, got)
		}
	}
	r := receive(t, always(503))
	cfg := config(t.TempDir(), r.server.URL)
	cfg.Hooks[0].GiveUp = time.Second
	reg := prometheus.NewPedanticRegistry()
	cfg.Registerer = reg
	s := open(t, cfg)
	s.Publish(1, "x", []byte(number(1)))
	s.Publish(2, "x", []byte(number(2)))
	eventually(t, "they were tried often", func() bool { return r.requests() > 4 })
	eventually(t, "they are given up", func() bool {
		return metric(t, reg, "sidetrack_webhook_dropped_total", "crm", "old") == 2
	})
	closeNow(t, s)
}

// A receiver that takes the connection and says nothing costs its timeout, and nobody waits for it.
func TestReceiverThatHangs(t *testing.T) {
	hang := make(chan struct{})
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(hang)
	var log bytes.Buffer
	cfg := config(t.TempDir(), server.URL+"/?key=hidden")
	cfg.Hooks[0].Timeout = 20 * time.Millisecond
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	s := open(t, cfg)
	for i := range 20_000 { // more than any channel holds
		s.Publish(uint64(i), "x", []byte("1"))
	}
	<-asked
	<-asked // tried again
	closeNow(t, s)
	if !strings.Contains(log.String(), "does not deliver") || strings.Contains(log.String(), "hidden") {
		t.Errorf("log: %s", &log)
	}
}

func TestFolderThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := webhook.Open(config(file, "http://127.0.0.1:1")); err == nil || err.Error() != file+"/crm cannot be used: not a directory" {
		t.Errorf("%v", err)
	}
	s := open(t, config(dir, "http://127.0.0.1:1"))
	if _, err := webhook.Open(config(dir, "http://127.0.0.1:1")); err == nil || err.Error() != dir+"/crm cannot be used: another process uses it" {
		t.Errorf("%v", err)
	}
	closeNow(t, s)
}

// The example of the Standard Webhooks specification.
func TestSignatureOfTheStandard(t *testing.T) {
	h := webhook.Hook{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
	got := h.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
