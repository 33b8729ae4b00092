package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// double is a Backend with one call, c1, and one recording, r1, which is paused.
func double() api.Backend {
	one := func(known string) func(context.Context, string) (any, error) {
		return func(_ context.Context, id string) (any, error) {
			if id != known {
				return nil, fmt.Errorf("%s: %w", id, api.ErrNotFound)
			}
			return map[string]string{"id": id}, nil
		}
	}
	list := func(id string) func(context.Context) ([]api.Item, error) {
		return func(context.Context) ([]api.Item, error) {
			return []api.Item{{ID: id, Key: "1", Value: map[string]string{"id": id}}}, nil
		}
	}
	return api.Backend{
		Ready: func() error { return nil }, Events: api.NewBroker(),
		Overview: func(_ context.Context, q api.OverviewQuery) (any, error) { return q, nil },
		Metrics:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "metrics") }),
		Calls:    list("c1"), Call: one("c1"), Recordings: list("r1"), Recording: one("r1"),
		Control: func(ctx context.Context, id, verb string) (any, error) {
			v, err := one("r1")(ctx, id)
			if err == nil {
				v = map[string]string{"id": id, "did": verb}
			}
			return v, err
		},
		Pause: func(ctx context.Context, id string, limit time.Duration) (any, error) {
			if id == "r1" && limit == 0 {
				return nil, fmt.Errorf("paused already: %w", api.ErrConflict)
			}
			v, err := one("r1")(ctx, id)
			if err == nil {
				v = map[string]any{"id": id, "did": "pause", "limit": limit.String()}
			}
			return v, err
		},
		Mask: func(ctx context.Context, id, tracks string, on bool) (any, error) {
			v, err := one("r1")(ctx, id)
			if err == nil {
				v = map[string]any{"id": id, "tracks": tracks, "masked": on}
			}
			return v, err
		},
		Capture: func(ctx context.Context, id string, limits api.CaptureLimits) (api.Capturing, error) {
			if _, err := one("c1")(ctx, id); err != nil {
				return nil, err
			}
			return func(_ context.Context, w io.Writer) error {
				fmt.Fprint(w, "packets of ", limits.Time)
				_, err := fmt.Fprint(w, " in ", limits.Bytes)
				return err
			}, nil
		},
		Recorders: list("main"), Rules: list("rule-1"),
		Config: func(context.Context) (any, error) { return map[string]string{"file": "f"}, nil },
		Reload: func(context.Context) (any, error) { return nil, api.Mistakes{"f:1: wrong", "f:2: wrong too"} },
		SRSs:   list("main/0"),
		Drain: func(_ context.Context, recorder string, index int, on bool) (any, error) {
			if recorder != "main" || index != 0 {
				return nil, fmt.Errorf("SRS %d of %s: %w", index, recorder, api.ErrNotFound)
			}
			return map[string]bool{"drained": on}, nil
		},
		Tag: func(_ context.Context, id string, req api.TagRequest) (any, error) {
			if id != "r1" {
				return nil, fmt.Errorf("recording %s: %w", id, api.ErrNotFound)
			}
			return req, nil
		},
		Move: func(ctx context.Context, id string, req api.MoveRequest) (any, error) {
			v, err := one("r1")(ctx, id)
			if err == nil {
				v = map[string]string{"id": id, "to": req.SRS}
			}
			return v, err
		},
		Start: func(ctx context.Context, id string, req api.StartRequest) (any, error) {
			if _, err := one("c1")(ctx, id); err != nil {
				return nil, err
			}
			if req.Recorder != "main" {
				return nil, fmt.Errorf("recorder %q: %w", req.Recorder, api.ErrInvalid)
			}
			return req, nil
		},
	}
}

// handler serves b to this host, whatever it asks.
func handler(b api.Backend) *api.Server {
	return api.New(api.Config{Backend: b, Access: api.Access{Local: api.RoleAdmin}, Log: slog.New(slog.DiscardHandler)})
}

// here is a request from this host.
func here(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, path, body)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:9"
	return r
}

type answer struct {
	status      int
	contentType string
	body        string
}

func ask(h http.Handler, method, path, body string, header ...string) answer {
	r := here(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
}

// wellFormed says what is wrong with an answer, whatever was asked: errors are
// problem documents of their own status.
func wellFormed(a answer) error {
	if a.status < 400 {
		return nil
	}
	var doc struct {
		Title, Detail string
		Status        int
	}
	switch err := json.Unmarshal([]byte(a.body), &doc); {
	case err != nil:
		return fmt.Errorf("no problem document: %w", err)
	case a.contentType != "application/problem+json":
		return errors.New("content type " + a.contentType)
	case doc.Status != a.status || doc.Title != http.StatusText(a.status):
		return fmt.Errorf("says %d %s", doc.Status, doc.Title)
	}
	return nil
}

// event is one server-sent event.
type event struct{ id, kind, data string }

// reader reads the events of a stream; its close ends it.
type reader struct {
	status int
	lines  *bufio.Scanner
	close  func()
}

func follow(t *testing.T, server *httptest.Server, last string) *reader {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	r := &reader{resp.StatusCode, bufio.NewScanner(resp.Body), func() { cancel(); resp.Body.Close() }}
	t.Cleanup(r.close)
	return r
}

// next is the next event; false at the end of the stream.
func (r *reader) next() (e event, ok bool) {
	for r.lines.Scan() {
		name, value, _ := strings.Cut(r.lines.Text(), ": ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = value
		case "":
			if e.id != "" {
				return e, true
			}
		}
	}
	return e, false
}
