package app_test

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"sidetrack/tests/peer"
)

// hostile are values that somebody tries: other files, other headers, other languages, too much.
var hostile = []string{
	"none", "0", "-1", "1e99", "18446744073709551616", "../../../../etc/passwd", "..\\..\\boot.ini", "\x00", "a\r\nX-Injected: 1\r\n\r\n",
	"' OR 1=1 --", "\"; DROP TABLE recordings; --", "<script>alert(1)</script>", "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
	"{{.}}{{printf \"%s\" .}}", "${HOME}", "$(id)", "%s%n%x", "\u202e\ufeff", "\xff\xfe", "true", "null", strings.Repeat("A", 7000), "http://127.0.0.1:1/",
}

// values are JSON values that a member of a body may be given.
func values() []any {
	deep := any("x")
	for range 200 {
		deep = []any{deep}
	}
	out := []any{nil, true, 0, -1.5, 1e300, []any{}, map[string]any{}, map[string]any{"srs": "x"}, deep}
	for _, s := range hostile {
		out = append(out, s)
	}
	return out
}

// attempt is one request of a scan.
type attempt struct {
	method, path, query, body string
	header                    [2]string
}

// attempts are made from the paper: each parameter and each member of a body of each operation, wrong in every way,
// while the rest is right.
func attempts(doc *openapi3.T, right map[string]string) []attempt {
	var all []attempt
	fill := func(path, name, value string) string {
		for n, v := range right {
			if n == name {
				v = value
			}
			path = strings.ReplaceAll(path, "{"+n+"}", url.PathEscape(v))
		}
		return path
	}
	for path, item := range doc.Paths.Map() {
		plain := fill(path, "", "")
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "BREW"} {
			if op := item.GetOperation(method); op != nil && (op.OperationID == "followEvents" || op.OperationID == "captureMedia") || path == "/api/v1/events" && method == "HEAD" {
				continue // lasts
			}
			all = append(all, attempt{method: method, path: plain})
		}
		for method, op := range item.Operations() {
			lasts := op.OperationID == "followEvents"
			for _, p := range op.Parameters {
				for _, v := range hostile {
					switch a := (attempt{method: method, path: plain}); p.Value.In {
					case "path":
						a.path = fill(path, p.Value.Name, v)
						all = append(all, a)
					case "query":
						a.query = url.QueryEscape(p.Value.Name) + "=" + url.QueryEscape(v)
						all = append(all, a)
						a.query += "&" + a.query + "&%zz=" + url.QueryEscape(v) + ";"
						all = append(all, a)
					case "header":
						if strings.ContainsAny(v, "\x00\r\n") || lasts && strings.Trim(v, "0123456789") == "" {
							continue
						}
						a.header = [2]string{p.Value.Name, v}
						all = append(all, a)
					}
				}
			}
			if method == "GET" || lasts {
				continue
			}
			bodies := []string{"", "null", "[]", "1", "\"x\"", "{", "{}{}", "{\"\":1}", "\xff", strings.Repeat("[", 30_000), strings.Repeat(" ", 70_000), `{"recorder":"main","recorder":"x"}`}
			if op.OperationID == "captureMedia" {
				bodies = bodies[2:] // the first ones have it last
			}
			if op.RequestBody != nil {
				for name := range op.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
					for _, v := range values() {
						body := map[string]any{"recorder": "main", name: v}
						switch op.OperationID {
						case "moveRecording":
							delete(body, "recorder")
						case "captureMedia":
							if body = map[string]any{"limit": "1ms", name: v}; body["limit"] == nil {
								continue // lasts
							}
						}
						b, _ := json.Marshal(body)
						bodies = append(bodies, string(b))
					}
				}
			}
			for _, b := range bodies {
				all = append(all, attempt{method: method, path: plain, body: b}, attempt{method: method, path: plain, body: b, header: [2]string{"Content-Type", "text/xml; charset=utf-16"}})
			}
		}
	}
	return all
}

// The whole interface, as openapi.yaml has it, is asked wrongly in every way while a call is recorded whose parties have
// hostile names: every answer is 2xx or 4xx and as described, nothing leaks, nothing is injected, nothing panics, the call lives.
func TestScanOfTheWholeInterface(t *testing.T) {
	s := open(t, `http: {listen: "`, `http: {rate: 0, listen: "`)
	const name = `"<script>alert(1)</script>]]>&lt;{{.}}\"; DROP TABLE x --" <sip:a%0d%0aX-Injected:1@caller.test>`
	a, b := peer.NewMedia(s.t, home(4), "call", "alice"), peer.NewMedia(s.t, home(2), "call", "bob")
	out := s.caller.Invite(s.sip(), peer.Call{URI: "sip:bob@pbx.test", From: name, SDP: peer.BuildSDP(1, peer.Line{Media: a})})
	in := s.pbx.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
	ok := out.Expect(200)
	left, right := out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	s.eventually("it is recorded", func() bool {
		list := s.items("/api/v1/recordings")
		return len(list) == 1 && list[0]["state"] == "recording"
	})
	call := s.items("/api/v1/calls")[0]["id"].(string)
	doc, _ := paper(t)
	// Path parameters are right where the path is of a call, or of a recording.
	known := map[string]string{"id": call, "recorder": "main", "index": "0"}
	all := attempts(doc, known)
	if len(all) < 800 {
		t.Errorf("only %d attempts", len(all))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	met := map[int]int{}
	for _, at := range all {
		target := s.url(at.path)
		if at.query != "" {
			target += "?" + at.query
		}
		req, err := http.NewRequest(at.method, target, strings.NewReader(at.body))
		if err != nil {
			t.Fatal(err)
		}
		if at.header[0] != "" {
			req.Header.Set(at.header[0], at.header[1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Errorf("%+.200v: %v", at, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		met[resp.StatusCode]++
		if c := resp.StatusCode / 100; c != 2 && c != 4 {
			t.Errorf("%+.200v: %s %.200s", at, resp.Status, body)
		}
		if resp.Header.Get("X-Injected") != "" || resp.Header.Get("Access-Control-Allow-Origin") != "" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%+.200v: headers %v", at, resp.Header)
		}
		for _, leak := range []string{"root:x:", "goroutine ", "runtime error", ".go:", t.TempDir()} {
			if strings.Contains(string(body), leak) && !strings.HasSuffix(resp.Request.URL.Path, ".js") {
				t.Errorf("%+.200v leaks %q: %.300s", at, leak, body)
			}
		}
		if json := strings.HasSuffix(resp.Header.Get("Content-Type"), "json"); json && strings.ContainsAny(string(body), "<>") {
			t.Errorf("%+.200v: markup in %.300s", at, body)
		}
		if at.method != "HEAD" && at.method != "BREW" && at.method != "TRACE" && !strings.Contains(at.path, "%2F") {
			s.asDescribed(req, resp, body)
		}
	}
	t.Logf("%d attempts: %v", len(all), met)
	for _, status := range []int{200, 400, 404, 405, 413} {
		if met[status] == 0 {
			t.Errorf("no answer was %d, of %v", status, slices.Sorted(maps.Keys(met)))
		}
	}
	// What is no HTTP, or badly framed, costs its connection.
	for _, raw := range []string{
		"GARBAGE\r\n\r\n", "GET /api/v1/calls HTTP/1.1\r\n\r\n", "GET /api/v1/calls HTTP/9.9\r\nHost: localhost\r\n\r\n",
		"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
		"GET /api/v1/calls HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("y", 64<<10) + "\r\n\r\n",
		"GET /api/v1/calls HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /api/v1/\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		c, err := net.Dial("tcp", s.app.HTTPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(time.Minute))
		io.WriteString(c, raw)
		c.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(c)
		c.Close()
		if strings.Contains(string(got), " 200 ") || strings.Contains(string(got), " 500 ") {
			t.Errorf("%.80q: %.200q", raw, got)
		}
	}
	if log := s.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "an HTTP request failed") {
		t.Errorf("the log tells of faults:\n%s", log[max(0, strings.Index(log, "HTTP request failed")-500):])
	}
	if status, body := s.get("/readyz"); status != 200 {
		t.Errorf("afterwards: %d %s", status, body)
	}
	if status, text := s.get("/api/v1/calls/" + call + "/ladder?format=text"); status != 200 || strings.ContainsAny(text, "\r\x1b") {
		t.Errorf("%d %q", status, text)
	}
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	s.eventually("the call has lived until its end", func() bool { return len(s.items("/api/v1/calls")) == 0 })
}
