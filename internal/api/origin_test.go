package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// Pages of other origins may read nothing and ask nothing in their visitor's name: no answer allows it, whatever the path, and
// what a browser asks first (CORS) is no method of ours.
func TestNoOtherOrigin(t *testing.T) {
	h := handler(double())
	for _, origin := range []string{"https://page.example", "http://localhost", "null"} {
		for _, tt := range []struct {
			method, path string
			status       int
		}{
			{"GET", "/", 200}, {"GET", "/healthz", 200}, {"GET", "/metrics", 200}, {"GET", "/api/v1/calls", 200},
			{"GET", "/api/v1/calls/c1", 200}, {"GET", "/api/v1/calls/c2", 404}, {"GET", "/nothing", 404},
			{"OPTIONS", "/", 405}, {"OPTIONS", "/api/v1/calls", 405}, {"OPTIONS", "/api/v1/recordings/r1/stop", 405},
			{"OPTIONS", "/api/v1/calls/c1/recordings", 405}, {"OPTIONS", "/api/v1/events", 405}, {"OPTIONS", "/nothing", 404},
		} {
			r := here(tt.method, tt.path, nil)
			r.Header.Set("Origin", origin)
			if tt.method == "OPTIONS" {
				r.Header.Set("Access-Control-Request-Method", "POST")
				r.Header.Set("Access-Control-Request-Headers", "authorization")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("%s %s from %s: %d, wanted %d", tt.method, tt.path, origin, w.Code, tt.status)
			}
			for name, values := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s from %s: %s: %v", tt.method, tt.path, origin, name, values)
				}
			}
		}
	}
}
