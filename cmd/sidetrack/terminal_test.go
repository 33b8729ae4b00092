package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever a peer has called himself, a terminal is shown text.
func TestTerminalsGetText(t *testing.T) {
	const odd = "\u009b2J\x7f"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/calls/c1", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"from": "sip:" + odd + "\x1b[2J@x", "to": "sip:ä@x"})
	})
	mux.HandleFunc("POST /api/v1/recordings/r1/pause", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		json.NewEncoder(w).Encode(map[string]any{"detail": "ended: " + odd + "\x1b[2J", "mistakes": []string{odd + "\n"}})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for args, want := range map[string]string{"calls c1 --json=false": `"sip:\u009b2J\u007f\u001b[2J@x"`, "pause r1": "ended: ?2J??[2J"} {
		_, out, err := try(append(strings.Fields(args), "--api", server.URL)...)
		if said := out + err; !strings.Contains(said, want) || strings.ContainsAny(said, "\x1b\x7f\u009b") {
			t.Errorf("%s: %q, wanted %q", args, said, want)
		}
	}
}
