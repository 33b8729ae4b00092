package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// problemDoc is an RFC 9457 problem document. Type is left out: about:blank,
// so that title is the status's own phrase.
type problemDoc struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func problem(w http.ResponseWriter, status int, detail string) {
	body, _ := json.Marshal(problemDoc{http.StatusText(status), status, detail})
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// fail answers with the status that an error of the Backend stands for.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	}
	problem(w, status, err.Error())
}

// problems turns the mux's own plain 404 and 405 into problem documents.
func problems(next *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := next.Handler(r); pattern != "" {
			next.ServeHTTP(w, r)
			return
		}
		rec := &statusOnly{header: http.Header{}}
		next.ServeHTTP(rec, r)
		if allow := rec.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		switch {
		case rec.status >= 300 && rec.status < 400:
			next.ServeHTTP(w, r)
		case rec.status == http.StatusMethodNotAllowed:
			problem(w, rec.status, r.Method+" is not allowed here")
		default:
			problem(w, http.StatusNotFound, "there is nothing at "+r.URL.Path)
		}
	})
}

// statusOnly is a ResponseWriter that keeps status and headers.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header { return s.header }
func (s *statusOnly) WriteHeader(n int)   { s.status = n }
func (s *statusOnly) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return len(b), nil
}
