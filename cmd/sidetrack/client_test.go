package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// proxy is an HTTP API with two pages of calls and one recording.
func proxy(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/calls", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "" {
			fmt.Fprint(w, `{"items":[{"id":"c1","from":"sip:a@x","to":"sip:b@x","state":"answered","since":"2026-01-02T03:04:05Z","recordings":["r1"]}],"next":"p2/+"}`)
			return
		}
		fmt.Fprint(w, `{"items":[{"id":"c2","state":"early"}],"next":""}`)
	})
	mux.HandleFunc("GET /api/v1/calls/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"id":%q}`, r.PathValue("id")) })
	mux.HandleFunc("GET /api/v1/recordings", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"id":"r1","state":"paused","srs":"sip:s","streams":[{"packets_in":5,"packets_copied":3},{"packets_in":2,"packets_copied":1}]}]}`)
	})
	mux.HandleFunc("POST /api/v1/recordings/{id}/{verb}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") != "r1" {
			w.WriteHeader(404)
			fmt.Fprint(w, `{"title":"Not Found","status":404,"detail":"recording x: no such call or recording"}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		switch verb := r.PathValue("verb"); verb {
		case "tag":
			fmt.Fprintf(w, `{"id":"r1","state":%q}`, body)
			return
		case "mask", "unmask":
			fmt.Fprintf(w, `{"id":"r1","state":%q}`, verb+"d "+string(body))
			return
		}
		fmt.Fprintf(w, `{"id":"r1","state":%q}`, r.PathValue("verb")+"d")
	})
	mux.HandleFunc("POST /api/v1/calls/{id}/recordings", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(201)
		fmt.Fprintf(w, `{"id":"r2","state":"starting","asked":%s}`, body)
	})
	mux.HandleFunc("GET /broken/api/v1/calls", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	mux.HandleFunc("GET /gateway/api/v1/calls", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusBadGateway) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestClient(t *testing.T) {
	url := proxy(t)
	for _, tt := range []struct {
		args     string
		status   int
		out, err string
	}{
		{"calls --json=false", 0, "ID  STATE     SINCE", ""},
		{"calls --json=false", 0, "\nc2  early", ""},
		{"calls", 0, "{\"id\":\"c2\",\"state\":\"early\"}\n", ""}, // no terminal: JSON, one object per line
		{"calls c1 --json", 0, `{"id":"c1"}`, ""},
		{"calls a/b --json", 0, `{"id":"a/b"}`, ""},
		{"calls --json=false c1", 0, "{\n  \"id\": \"c1\"\n}", ""},
		{"recordings --json=false", 0, "7        4", ""},
		{"pause r1 --json=false", 0, "r1 paused\n", ""},
		{"resume r1", 0, `{"id":"r1","state":"resumed"}`, ""},
		{"move r1 --srs sip:b --json=false", 0, "r1 moved\n", ""},
		{"mask r1 --tracks caller --json=false", 0, "r1 maskd {\"tracks\":\"caller\"}\n", ""},
		{"mask", 1, "", "which recording?"},
		{"unmask r1 --json=false", 0, "r1 unmaskd {}\n", ""},
		{"stop r1 --json=false", 0, "r1 stopd\n", ""},
		{"stop x", 1, "", "sidetrack stop: recording x: no such call or recording\n"},
		{"start c1 --recorder main --json=false", 0, "r2 starting\n", ""},
		{"start c1 --recorder main --parameter agent=7 --parameter team=a=b", 0, `"parameters":{"agent":"7","team":"a=b"}`, ""},
		{"start c1 --recorder main --parameter agent", 1, "", "no parameter"},
		{"tag r1 agent=7 case= --json=false", 0, `r1 {"parameters":{"agent":"7","case":""}}`, ""},
		{"tag r1 agent", 1, "", "no parameter"},
		{"tag r1", 1, "", "write ID NAME=VALUE"},
		{"calls --api " + url + "/broken/", 1, "", "reading the API's answer"},
		{"calls --api " + url + "/gateway", 1, "", "answered 502 Bad Gateway\n"},
		{"recordings none", 1, "", "404"},
	} {
		t.Setenv("SIDETRACK_API", url)
		status, out, err := try(strings.Fields(tt.args)...)
		if status != tt.status || !holds(out, tt.out) || !holds(err, tt.err) {
			t.Errorf("sidetrack %s: %d\nout: %s\nerr: %s", tt.args, status, out, err)
		}
	}
}
