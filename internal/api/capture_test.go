package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sidetrack/internal/api"
)

// lockedLog may be read while it is written.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Who captures is written down before he hears anything; packets come as they are taken; an end that is none shows.
func TestCapture(t *testing.T) {
	var log lockedLog
	b, more, failure := double(), make(chan string), errors.New("cannot go on")
	b.Capture = func(context.Context, string, api.CaptureLimits) (api.Capturing, error) {
		return func(ctx context.Context, w io.Writer) error {
			if !strings.Contains(log.String(), `"captureMedia"`) {
				t.Error("it is not written down yet")
			}
			for s := range more {
				if _, err := io.WriteString(w, s); err != nil {
					return err
				}
			}
			return failure
		}, nil
	}
	s := api.New(api.Config{Backend: b, Access: api.Access{Local: api.RoleAdmin}, Log: slog.New(slog.NewJSONHandler(&log, nil))})
	srv := httptest.NewServer(s)
	defer srv.Close()
	for _, failure = range []error{nil, failure} {
		more = make(chan string)
		resp, err := http.Post(srv.URL+"/api/v1/calls/c1/pcap", "application/json", strings.NewReader(`{"limit": "1m"}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"one", "two"} {
			more <- s
			got := make([]byte, 3)
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != s {
				t.Fatalf("%q, %v", got, err)
			}
		}
		close(more)
		if _, err = io.ReadAll(resp.Body); (err == nil) != (failure == nil) {
			t.Errorf("it ended with %v, the answer with %v", failure, err)
		}
		resp.Body.Close()
	}
	srv.Close()
	if n := strings.Count(log.String(), `"captureMedia"`); n != 2 {
		t.Errorf("%d lines of 2 in the log:\n%s", n, log.String())
	}
}
