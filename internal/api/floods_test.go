package api_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/internal/api"
)

// Metrics that everybody may read cost more than the health does: they have the rate of all else.
func TestPublicMetricsHaveARate(t *testing.T) {
	s := guarded(api.Config{Access: api.Access{PublicMetrics: true, Rate: 1}})
	for path, bounded := range map[string]bool{"/metrics": true, "/healthz": false} {
		refused := 0
		for range 50 {
			if far(s, "GET", path, "").status == 429 {
				refused++
			}
		}
		if refused > 0 != bounded {
			t.Errorf("%s: %d of 50 refused", path, refused)
		}
	}
}

// Handshakes beyond the rate of requests are not begun.
func TestHandshakesHaveARate(t *testing.T) {
	lender := httptest.NewTLSServer(http.NotFoundHandler()) // of a certificate
	defer lender.Close()
	reg := prometheus.NewRegistry()
	s := api.New(api.Config{Backend: double(), Log: slog.New(slog.DiscardHandler), Registerer: reg})
	defer s.Close(context.Background())
	to := api.Settings{Access: api.Access{Rate: 1}, TLS: &tls.Config{Certificates: lender.TLS.Certificates}, Listen: "127.0.0.1:0"}
	swap, _, err := s.Prepare(to)
	if err != nil {
		t.Fatal(err)
	}
	swap()
	refused := 0
	for range 50 {
		c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			refused++
			continue
		}
		c.Close()
	}
	const metric = `# HELP sidetrack_api_refused_total Requests that the HTTP API has refused: credentials, role, rate, origin, or TLS handshakes beyond the rate.
# TYPE sidetrack_api_refused_total counter
sidetrack_api_refused_total{reason="credentials"} 0
sidetrack_api_refused_total{reason="handshakes"} %d
sidetrack_api_refused_total{reason="origin"} 0
sidetrack_api_refused_total{reason="rate"} 0
sidetrack_api_refused_total{reason="role"} 0
`
	if refused == 0 || refused > 48 {
		t.Errorf("%d of 50 handshakes refused", refused)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(fmt.Sprintf(metric, refused)), "sidetrack_api_refused_total"); err != nil {
		t.Error(err)
	}
}

// A name that is none of a socket, written by mistake, costs no file.
func TestASocketReplacesNoFile(t *testing.T) {
	s := handler(double())
	file := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(file, []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.ListenSocket(file); err == nil || err.Error() != "listening on "+file+": there is something else than a socket" {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "rows" {
		t.Errorf("%q, %v", b, err)
	}
	// A socket that somebody has removed is no trouble at the end.
	file = filepath.Join(t.TempDir(), "api.sock")
	if err := s.ListenSocket(file); err != nil {
		t.Fatal(err)
	}
	os.Remove(file)
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// A capture ends with the right to it.
func TestCapturesEndWithTheToken(t *testing.T) {
	b := double()
	begun := make(chan struct{})
	b.Capture = func(context.Context, string, api.CaptureLimits) (api.Capturing, error) {
		return func(ctx context.Context, w io.Writer) error {
			close(begun)
			<-ctx.Done()
			return nil
		}, nil
	}
	s := handler(b)
	defer s.Close(context.Background())
	put := func(token string) {
		swap, _, err := s.Prepare(api.Settings{Access: api.Access{Tokens: []api.Token{{Name: "x", Role: api.RoleAdmin, Secret: token}}}, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		swap()
	}
	put(oldToken)
	req, _ := http.NewRequest("POST", "http://"+s.Addr().String()+"/api/v1/calls/c1/pcap", nil)
	req.Header.Set("Authorization", "Bearer "+oldToken)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-begun
	put(newToken)
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
}

// Who asks and goes is no fault of the proxy's.
func TestWhoGoesIsNoFault(t *testing.T) {
	b := double()
	b.Call = func(ctx context.Context, _ string) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
	var log lockedLog
	s := api.New(api.Config{Backend: b, Access: api.Access{Local: api.RoleAdmin}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, here("GET", "/api/v1/calls/c1", nil).WithContext(ctx))
	if w.Code == 500 || log.String() != "" {
		t.Errorf("%d, %s", w.Code, log.String())
	}
}
