package api_test

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Whatever is asked, the answer is a list or a problem document.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "limit=1", "limit=-1", "cursor=MQBjMQ", "cursor=%00", "limit=1&limit=x", "%", "limit=99999999999999999999"} {
		f.Add(q)
	}
	h := handler(double())
	f.Fuzz(func(t *testing.T, query string) {
		r := here("GET", "/api/v1/calls", nil)
		r.URL = &url.URL{Path: "/api/v1/calls", RawQuery: query}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		a := answer{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
		if a.status != 200 && a.status != 400 {
			t.Errorf("%q: %+v", query, a)
		}
		if err := wellFormed(a); err != nil {
			t.Errorf("%q: %v: %+v", query, err, a)
		}
	})
}

// Whatever the body, a recording starts only for one that asks for it.
func FuzzStartBody(f *testing.F) {
	for _, b := range []string{"", "{}", `{"recorder":"main"}`, `{"recorder":"main"} x`, "[]", "null", "{\"recorder\":\"\xff\"}", strings.Repeat("[", 20000)} {
		f.Add(b)
	}
	h := handler(double())
	f.Fuzz(func(t *testing.T, body string) {
		a := ask(h, "POST", "/api/v1/calls/c1/recordings", body)
		if a.status == 201 && !strings.Contains(body, "main") && !strings.Contains(body, `\u00`) {
			t.Errorf("%q started a recording", body)
		}
		if a.status != 201 && a.status != 400 && a.status != 413 {
			t.Errorf("%q: %+v", body, a)
		}
		if err := wellFormed(a); err != nil {
			t.Errorf("%q: %v: %+v", body, err, a)
		}
	})
}
