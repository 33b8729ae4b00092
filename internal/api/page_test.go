package api_test

import (
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"sidetrack/internal/api"
)

// The page comes with a policy that lets it load its own files only, and has no
// markup that would need more.
func TestPage(t *testing.T) {
	h := handler(double())
	for path, contentType := range map[string]string{"/": "text/html", "/page.js": "text/javascript", "/ladder.js": "text/javascript", "/style.css": "text/css"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, here("GET", path, nil))
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), contentType) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		body := w.Body.String()
		if m := regexp.MustCompile(`(https?:)?//[a-z]|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\son[a-z]+="| style="`).FindString(strings.ReplaceAll(body, "\n//", "\n")); m != "" {
			t.Errorf("%s has %q", path, m)
		}
	}
}

// A browser is asked for a password, a program for a token; the token is both.
func TestPageAsksForAPassword(t *testing.T) {
	const secret = "control-0123456789abcdef"
	h := guarded(api.Config{})
	from := func(path, authorization string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = "192.0.2.7:4000"
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := from("/", ""); w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") || strings.Contains(w.Body.String(), "<html") {
		t.Errorf("page: %d %q", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	if w := from("/api/v1/overview", ""); w.Code != 401 || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("overview: %d %q", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for authorization, want := range map[string]int{
		basic("anybody", secret): 200, basic("", secret): 200, "Bearer " + secret: 200,
		basic(secret, ""): 401, basic("eve", "wrong"): 401, "Basic !!!": 401, "Basic": 401, "Digest x": 401,
	} {
		if w := from("/", authorization); w.Code != want {
			t.Errorf("%s: %d, want %d", authorization, w.Code, want)
		}
	}
	if w := from("/api/v1/overview", basic("x", secret)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"you":{"name":"hands","role":"control"}`) {
		t.Errorf("overview: %d %s", w.Code, w.Body)
	}
}

func TestOverviewQuery(t *testing.T) {
	h := handler(double())
	for query, want := range map[string]int{
		"": 200, "?page=0&limit=1&search=x": 200, "?page=-1": 400, "?page=x": 400, "?limit=0": 400, "?limit=1001": 400, "?search=" + strings.Repeat("x", 201): 400,
		"?recording=ended&ids=a,b&lately=20": 200, "?recording=lost": 400, "?lately=-1": 400, "?ids=" + strings.Repeat("x,", 100): 400, "?ids=" + strings.Repeat("x,", 99): 200,
	} {
		if w := ask(h, "GET", "/api/v1/overview"+query, ""); w.status != want {
			t.Errorf("%s: %d, want %d", query, w.status, want)
		}
	}
}

// The page's answer is compressed for those who can read that; a refusal is not.
func TestOverviewIsCompressed(t *testing.T) {
	h := handler(double())
	get := func(path string, header ...string) *httptest.ResponseRecorder {
		r := here("GET", path, nil)
		if len(header) > 0 {
			r.Header.Set("Accept-Encoding", header[0])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	plain, small := get("/api/v1/overview?search=abc"), get("/api/v1/overview?search=abc", "br, gzip")
	zip, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(zip)
	if err != nil || string(got) != plain.Body.String() || !strings.Contains(string(got), "abc") {
		t.Errorf("%v: %s, plain %s", err, got, plain.Body)
	}
	if small.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" || plain.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("%v %v", small.Header(), plain.Header())
	}
	if w := get("/api/v1/overview?page=x", "gzip"); w.Code != 400 || w.Header().Get("Content-Encoding") != "" || !strings.Contains(w.Body.String(), "page is no number") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
