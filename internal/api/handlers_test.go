package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/api"
)

func TestEveryAnswer(t *testing.T) {
	h := handler(double())
	for _, tt := range []struct {
		method, path, body string
		status             int
		holds              string
	}{
		{"GET", "/healthz", "", 200, "ok"},
		{"GET", "/readyz", "", 200, "ready"},
		{"GET", "/metrics", "", 200, "metrics"},
		{"GET", "/api/v1/calls", "", 200, `{"items":[{"id":"c1"}],"next":""}`},
		{"GET", "/api/v1/calls/c1", "", 200, `{"id":"c1"}`},
		{"HEAD", "/api/v1/calls/c1", "", 200, ""},
		{"GET", "/api/v1/calls/c2", "", 404, "c2: not found"},
		{"GET", "/api/v1/calls/", "", 404, "nothing at /api/v1/calls/"},
		{"GET", "/api/v1/calls/%00%ff", "", 404, "not found"},
		{"GET", "/api/v1/recordings/r1", "", 200, `{"id":"r1"}`},
		{"DELETE", "/api/v1/recordings/r1", "", 405, "DELETE is not allowed"},
		{"POST", "/api/v1/recordings/r1/stop", "", 200, `"did":"stop"`},
		{"POST", "/api/v1/recordings/r1/resume", "", 200, `"did":"resume"`},
		{"POST", "/api/v1/recordings/r1/pause", "", 409, "paused already"},
		{"POST", "/api/v1/recordings/r2/pause", "", 404, "not found"},
		{"POST", "/api/v1/recordings/r1/pause", `{"limit":"30s"}`, 200, `"limit":"30s"`},
		{"POST", "/api/v1/recordings/r1/pause", `{"limit":"30"}`, 400, "limit is no duration"},
		{"POST", "/api/v1/recordings/r1/pause", `{"limit":"-1s"}`, 400, "limit is no duration"},
		{"POST", "/api/v1/recordings/r1/pause", `{"limits":"1s"}`, 400, "limits"},
		{"POST", "/api/v1/recordings/r1/mask", "", 200, `"masked":true`},
		{"POST", "/api/v1/recordings/r1/mask", `{"tracks":"caller"}`, 200, `"tracks":"caller"`},
		{"POST", "/api/v1/recordings/r1/unmask", "", 200, `"masked":false`},
		{"POST", "/api/v1/recordings/r2/mask", "", 404, "not found"},
		{"POST", "/api/v1/recordings/r1/tag", `{"parameters":{"agent":"7"}}`, 200, `"agent":"7"`},
		{"POST", "/api/v1/recordings/r1/tag", "", 400, "parameters are missing"},
		{"POST", "/api/v1/recordings/r1/tag", `{"parameters":{}}`, 400, "parameters are missing"},
		{"POST", "/api/v1/recordings/r1/tag", `{"parameters":{"agent":7}}`, 400, "no valid request: no value of type number belongs into parameters"},
		{"POST", "/api/v1/recordings/r1/tag", `{"agent":"7"}`, 400, "agent"},
		{"POST", "/api/v1/recordings/r2/tag", `{"parameters":{"agent":"7"}}`, 404, "not found"},
		{"POST", "/api/v1/recordings/r1/erase", "", 404, "nothing at"},
		{"POST", "/api/v1/calls/c1/pcap", "", 200, "packets of 30s in 16777216"},
		{"POST", "/api/v1/calls/c1/pcap", `{"limit":"2s","bytes":65536}`, 200, "packets of 2s in 65536"},
		{"POST", "/api/v1/calls/c2/pcap", "", 404, "not found"},
		{"POST", "/api/v1/calls/c1/pcap", `{"limit":"11m"}`, 400, "limit is no duration"},
		{"POST", "/api/v1/calls/c1/pcap", `{"limit":"0"}`, 400, "limit is no duration"},
		{"POST", "/api/v1/calls/c1/pcap", `{"bytes":1000}`, 400, "bytes is no number"},
		{"POST", "/api/v1/calls/c1/pcap", `{"bytes":1000000000}`, 400, "bytes is no number"},
		{"POST", "/api/v1/calls/c1/pcap", `{"seconds":1}`, 400, "seconds"},
		{"GET", "/api/v1/recordings/r1/pause", "", 405, "GET is not allowed"},
		{"POST", "/api/v1/recordings/r1/move", "", 200, `"to":""`},
		{"POST", "/api/v1/recordings/r1/move", `{"srs":"sip:b"}`, 200, `"to":"sip:b"`},
		{"POST", "/api/v1/recordings/r1/move", `{"srs":1}`, 400, "srs"},
		{"POST", "/api/v1/recordings/r2/move", "", 404, "not found"},
		{"GET", "/api/v1/srs", "", 200, `{"items":[{"id":"main/0"}]`},
		{"POST", "/api/v1/srs/main/0/drain", "", 200, `"drained":true`},
		{"POST", "/api/v1/srs/main/0/enable", "", 200, `"drained":false`},
		{"POST", "/api/v1/srs/main/1/drain", "", 404, "not found"},
		{"POST", "/api/v1/srs/main/x/drain", "", 404, "place in its list"},
		{"GET", "/api/v1/srs/main/0/drain", "", 405, "GET is not allowed"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recorder":"main"}`, 201, `"recorder":"main"`},
		{"POST", "/api/v1/calls/c1/recordings", " {\"recorder\":\"main\"}\n", 201, ""},
		{"POST", "/api/v1/calls/c2/recordings", `{"recorder":"main"}`, 404, "not found"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recorder":"other"}`, 400, "other"},
		{"POST", "/api/v1/calls/c1/recordings", "", 400, "is empty"},
		{"POST", "/api/v1/calls/c1/recordings", "{", 400, "no valid request"},
		{"POST", "/api/v1/calls/c1/recordings", "[]", 400, "no valid request: no value of type array belongs into it"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recorder":"main"}{}`, 400, "more than one"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recorder":"main"}]`, 400, "no valid request"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recorder":1}`, 400, "recorder"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recoder":"main"}`, 400, "recoder"},
		{"POST", "/api/v1/calls/c1/recordings", strings.Repeat(" ", 65<<10), 413, "larger than 65536"},
		{"POST", "/api/v1/calls/c1/recordings", `{"recorder":"main"}` + strings.Repeat(" ", 65<<10), 413, "larger"},
		{"GET", "/api/v1/calls?limit=0", "", 400, "limit"},
		{"GET", "/api/v1/calls?limit=1001", "", 400, "limit"},
		{"GET", "/api/v1/calls?limit=x", "", 400, "limit"},
		{"GET", "/api/v1/calls?cursor=!!", "", 400, "cursor"},
		{"GET", "/api/v1/recorders", "", 200, `{"id":"main"}`},
		{"GET", "/api/v1/rules", "", 200, `{"id":"rule-1"}`},
		{"GET", "/api/v1/config", "", 200, `{"file":"f"}`},
		{"GET", "/api/v1/openapi.yaml", "", 200, "openapi: 3"},
		{"POST", "/api/v1/reload", "", 409, `"mistakes":["f:1: wrong","f:2: wrong too"]`},
		{"GET", "/api/v1/reload", "", 405, "not allowed"},
		{"GET", "/nothing", "", 404, "nothing at /nothing"},
		{"GET", "/api/v2/calls", "", 404, ""},
	} {
		a := ask(h, tt.method, tt.path, tt.body)
		if a.status != tt.status || !strings.Contains(a.body, tt.holds) {
			t.Errorf("%s %s %.40q: %d %s, want %d %q", tt.method, tt.path, tt.body, a.status, a.body, tt.status, tt.holds)
		}
		if err := wellFormed(a); err != nil {
			t.Errorf("%s %s: %v", tt.method, tt.path, err)
		}
	}
}

func TestErrorsHaveTheirStatus(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{api.ErrNotFound, 404},
		{api.ErrConflict, 409},
		{api.ErrInvalid, 400},
		{context.DeadlineExceeded, 503},
		{errors.New("disk on fire"), 500},
	} {
		b := double()
		b.Calls = func(context.Context) ([]api.Item, error) { return nil, tt.err }
		b.Ready = func() error { return tt.err }
		h := handler(b)
		a := ask(h, "GET", "/api/v1/calls", "")
		if a.status != tt.status || wellFormed(a) != nil {
			t.Errorf("%v: %+v", tt.err, a)
		}
		if a := ask(h, "GET", "/readyz", ""); a.status != 503 || a.body != tt.err.Error()+"\n" {
			t.Errorf("readyz: %+v", a)
		}
		if a := ask(h, "GET", "/healthz", ""); a.status != 200 {
			t.Errorf("healthz: %+v", a)
		}
	}
}

// A question to a lane that never answers ends with its deadline.
func TestQuestionsHaveADeadline(t *testing.T) {
	b := double()
	b.Call = func(ctx context.Context, _ string) (any, error) {
		if until, ok := ctx.Deadline(); !ok || time.Until(until) > 10*time.Second {
			return nil, errors.New("no deadline")
		}
		return nil, context.DeadlineExceeded
	}
	if a := ask(handler(b), "GET", "/api/v1/calls/c1", ""); a.status != 503 {
		t.Errorf("%+v", a)
	}
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	h := handler(double())
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://elsewhere.example"}} {
		a := ask(h, "POST", "/api/v1/recordings/r1/stop", "", header...)
		if a.status != http.StatusForbidden || wellFormed(a) != nil {
			t.Errorf("%v: %+v", header, a)
		}
	}
}

func TestServerListensAndCloses(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s := api.New(api.Config{Backend: double(), Log: log})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr().String()
	resp, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if err := api.New(api.Config{Backend: double(), Log: log}).Listen(addr); err == nil || err.Error() != "listening on "+addr+": address already in use" {
		t.Errorf("second server: %v", err)
	}
	// Somebody who never finishes his request does not hold the end up.
	idle, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	io.WriteString(idle, "POST /api/v1/calls/c1/recordings HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("closing: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still listening")
	}
}
