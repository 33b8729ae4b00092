package webhook

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A disk that hangs under a queue holds up neither who looks at the metrics nor a reload.
func TestMetricsThoughTheDiskHangs(t *testing.T) {
	reg, dir := prometheus.NewRegistry(), t.TempDir()
	hooks := []Hook{{Name: "crm", URL: "http://127.0.0.1:9", Secret: "0123456789abcdef", Timeout: time.Second, GiveUp: time.Minute}}
	s, err := Open(Config{Hooks: hooks, Dir: dir, MaxSize: 4 << 20, Log: slog.New(slog.DiscardHandler), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	disk := &s.couriers[0].spool.mu
	disk.Lock() // as by who writes
	done := make(chan error, 1)
	go func() {
		if _, err := reg.Gather(); err != nil {
			done <- err
			return
		}
		swap, _, err := s.Prepare(hooks, dir, 8<<20)
		if err == nil {
			swap()
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for the disk")
	}
	disk.Unlock()
}
