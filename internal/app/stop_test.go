package app_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// events collects the types of the server-sent events until their end.
func (s *stage) events() (types func() []string) {
	s.t.Helper()
	resp, err := http.Get(s.url("/api/v1/events"))
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan []string, 1)
	go func() {
		defer resp.Body.Close()
		var all []string
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				all = append(all, kind)
			}
		}
		done <- all
	}()
	return func() []string { return <-done }
}

// stopping runs Stop and returns its end.
func (s *stage) stopping(ctx context.Context) <-chan error {
	s.stopped = true
	done := make(chan error, 1)
	go func() { done <- s.app.Stop(ctx) }()
	return done
}

// While it drains: not ready, no new calls, the running one goes on; it stops
// when that has ended, long before the limit.
func TestDrain(t *testing.T) {
	s := open(t)
	left, right := s.call()
	types := s.events()
	done := s.stopping(context.Background())
	s.eventually("not ready", func() bool { status, _ := s.get("/readyz"); return status == 503 })
	if _, body := s.get("/readyz"); !strings.Contains(body, "draining") {
		t.Errorf("readyz says %s", body)
	}
	if status, _ := s.get("/healthz"); status != 200 {
		t.Errorf("healthz %d", status)
	}
	refused := s.dial(peer.NewMedia(t, home(4), "late", "alice")).Expect(503)
	if refused.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %s", refused.Bytes())
	}
	info := left.Send("INFO")
	right.Expect("INFO").Reply(200)
	info.Expect(200)
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}
	if s.sessions.Ended() != 1 {
		t.Errorf("the SRS got BYE for %d sessions", s.sessions.Ended())
	}
	if got := types(); !slices.Contains(got, "call.stop") || !slices.Contains(got, "recording.stop") {
		t.Errorf("events until the end: %v", got)
	}
	if log := s.log.String(); strings.Contains(log, "hanging up") {
		t.Error("hung up on a call that ended by itself")
	}
}

// After the drain time everybody gets BYE.
func TestDrainEnds(t *testing.T) {
	s := open(t, "drain: 30s", "drain: 50ms")
	left, right := s.call()
	done := s.stopping(context.Background())
	left.AnswerBye()
	right.AnswerBye()
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}
	if s.sessions.Ended() != 1 {
		t.Errorf("the SRS got BYE for %d sessions", s.sessions.Ended())
	}
}

// "Stop now": with ctx over, calls are hung up at once; peers who are gone are
// not waited for as long as else.
func TestStopNow(t *testing.T) {
	s := open(t)
	left, right := s.call()
	ctx, now := context.WithCancel(context.Background())
	done := s.stopping(ctx)
	s.eventually("draining", func() bool { status, _ := s.get("/readyz"); return status == 503 })
	watch := peer.StartStopwatch(t)
	now()
	left.Expect("BYE") // and no answer
	right.AnswerBye()
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}
	if took := watch.Took(); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
	if s.sessions.Ended() != 1 {
		t.Errorf("the SRS got BYE for %d sessions", s.sessions.Ended())
	}
	if len(s.app.Listeners()) != 0 {
		t.Error("listeners left")
	}
}

// A disk that does not answer keeps the proxy from nothing, its end included: whoever has to write there is left behind.
func TestStopsThoughTheDiskHangs(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	s := open(t, "http: {", "http: {audit: "+audit+", ")
	if err := os.Remove(audit); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(audit, 0o600); err != nil { // opened for writing, it waits for a reader
		t.Fatal(err)
	}
	s.app.Act(src.Action{Time: time.Now(), Who: "sip:alice@pbx.test", Role: "caller", Door: "INFO", Action: policy.ActionStop, CallID: "c"})
	err := <-s.stopping(context.Background())
	if err == nil || !strings.Contains(err.Error(), "http.audit: nothing answers") {
		t.Errorf("stopped with %v", err)
	}
	f, err := os.Open(audit)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if line, err := bufio.NewReader(f).ReadString('\n'); err != nil || !strings.Contains(line, "stopRecording") {
		t.Errorf("%q, %v", line, err)
	}
}

// Nor does a reload that the disk does not let end; when it does, nothing of it is put in force.
func TestStopsThoughAReloadHangs(t *testing.T) {
	audit := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := syscall.Mkfifo(audit, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t)
	changed := parse(t, text(append([]string{"http: {", "http: {audit: " + audit + ", "}, s.names...)...))
	reloaded := make(chan error, 1)
	go func() { reloaded <- s.app.Reload(changed) }()
	s.eventually("the reload hangs", func() bool {
		stacks := make([]byte, 1<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "api.OpenAudit")
	})
	select {
	case err := <-s.stopping(context.Background()):
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for the reload")
	}
	f, err := os.Open(audit) // the disk is back
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := <-reloaded; err == nil || err.Error() != "the proxy stops" {
		t.Errorf("reloaded with %v", err)
	}
}
