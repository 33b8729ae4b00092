//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// From another host nothing but the health answers without a token, whatever openapi.yaml lists and however it is asked
// for; with one, what its role may do does. On the proxy's own host no token is needed. The unix socket is for its owner.
func TestAPIFromAnotherHost(t *testing.T) {
	root(t)
	need(t, "ip")
	here, there := fmt.Sprintf("st-here-%d", os.Getpid()), fmt.Sprintf("st-there-%d", os.Getpid())
	t.Cleanup(func() {
		_ = exec.Command("ip", "netns", "del", here).Run()
		_ = exec.Command("ip", "netns", "del", there).Run()
	})
	for _, line := range []string{
		"netns add " + here, "netns add " + there, "-n " + here + " link set lo up", "-n " + there + " link set lo up",
		"-n " + here + " link add in type veth peer name out netns " + there,
		"-n " + here + " addr add 10.77.9.1/24 dev in", "-n " + here + " link set in up",
		"-n " + there + " addr add 10.77.9.2/24 dev out", "-n " + there + " link set out up",
	} {
		run(t, "ip "+line)
	}
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "api.sock"), filepath.Join(dir, "sidetrack.yaml")
	const reader, admin = "a-reader-of-this-test", "an-admin-of-this-test"
	if err := os.WriteFile(file, fmt.Appendf(nil, `
sip: {listen: ["udp://10.77.9.1:5060"], trusted: [10.77.9.0/24], drain: 1s}
routes: [{to: "sip:10.77.9.2"}]
media: {listen: 10.77.9.1, ports: 20000-20099}
recorders: {main: {srs: "sip:10.77.9.2:5090"}}
recording: [{recorder: main}]
http:
  listen: "0.0.0.0:8080"
  socket: %s
  tokens: [{name: eyes, role: read, token: %s}, {name: hands, role: admin, token: %s}]
  rate: 0
`, socket, reader, admin), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := start(t, "sidetrack", here, program(t), "serve", "--config", file)
	proxy.say("ready")

	// ask sends one request from a namespace, each over a connection of its own.
	ask := func(from, host, method, path, token string) (status int, body string) {
		t.Helper()
		within(t, from, func() {
			conn, err := net.DialTimeout("tcp", host+":8080", patience)
			if err != nil {
				t.Errorf("%s %s: %v", method, path, err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			req, err := http.NewRequest(method, "http://"+host+":8080"+path, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
			resp, err := client.Do(req)
			if err != nil {
				t.Errorf("%s %s: %v", method, path, err)
				return
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
			status, body = resp.StatusCode, string(b)
		})
		return status, body
	}

	paper, err := os.ReadFile("../../internal/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var described struct {
		Paths map[string]map[string]any
	}
	if err := yaml.Unmarshal(paper, &described); err != nil {
		t.Fatal(err)
	}
	health, asked := 0, 0
	for path, operations := range described.Paths {
		for method := range operations {
			if method != "get" && method != "post" {
				continue
			}
			asked++
			path := strings.NewReplacer("{id}", "x", "{recorder}", "main", "{index}", "0").Replace(path)
			status, body := ask(there, "10.77.9.1", strings.ToUpper(method), path, "")
			switch {
			case path == "/healthz" || path == "/readyz":
				health++
				if status != 200 {
					t.Errorf("%s: %d %s", path, status, body)
				}
			case status != 401 || strings.Contains(body, "10.77.9.2:5090"):
				t.Errorf("%s %s without a token: %d %s", method, path, status, body)
			}
		}
	}
	if health != 2 || asked < 25 {
		t.Errorf("%d operations, %d of the health", asked, health)
	}
	for _, path := range []string{"/", "/nothing", "/page.js", "/api/v1/", "//api/v1/calls", "/api/v1/%63alls", "/debug/pprof/"} {
		if status, body := ask(there, "10.77.9.1", "GET", path, ""); status < 300 || strings.Contains(body, "sidetrack_") {
			t.Errorf("%s without a token: %d %s", path, status, body)
		}
	}
	for _, c := range []struct {
		token, method, path string
		status              int
	}{
		{"somebody-elses-token", "GET", "/api/v1/calls", 401}, {reader, "GET", "/api/v1/calls", 200}, {reader, "POST", "/api/v1/reload", 403},
		{reader, "GET", "/api/v1/config", 403}, {admin, "GET", "/api/v1/config", 200}, {admin, "POST", "/api/v1/reload", 200},
	} {
		if status, body := ask(there, "10.77.9.1", c.method, c.path, c.token); status != c.status {
			t.Errorf("%s %s with %s: %d %s, want %d", c.method, c.path, c.token, status, body, c.status)
		}
	}
	if status, body := ask(here, "127.0.0.1", "GET", "/api/v1/config", ""); status != 200 || !json.Valid([]byte(body)) {
		t.Errorf("on the proxy's host: %d %s", status, body)
	}
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info, err)
	}
	if out := proxy.out.String(); strings.Count(out, "action=reload") != 2 || !strings.Contains(out, "who=hands") || !strings.Contains(out, "status=403") || strings.Contains(out, admin) {
		t.Errorf("the log of control actions:\n%s", out)
	}
}
