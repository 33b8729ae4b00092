package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// problemDoc is an RFC 9457 problem document. Type is left out: about:blank,
// so that title is the status's own phrase.
type problemDoc struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Mistakes of a configuration file, one line each.
	Mistakes []string `json:"mistakes,omitempty"`
}

// Mistakes are what is wrong with a file that cannot be loaded, one line each:
// an ErrConflict.
type Mistakes []string

// Error gives all of them.
func (m Mistakes) Error() string { return strings.Join(m, "\n") }

// Is says what the mistakes mean to those who asked for the file to be loaded.
func (m Mistakes) Is(target error) bool { return target == ErrConflict }

func problem(w http.ResponseWriter, status int, detail string) {
	answer(w, problemDoc{Title: http.StatusText(status), Status: status, Detail: detail})
}

func answer(w http.ResponseWriter, doc problemDoc) {
	body, _ := json.Marshal(doc)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(doc.Status)
	w.Write(append(body, '\n'))
	note(w, doc.Detail, nil)
}

// fail answers with the status that an error of the Backend stands for.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var mistakes Mistakes
	switch {
	case errors.As(err, &mistakes):
		answer(w, problemDoc{http.StatusText(http.StatusConflict), http.StatusConflict, "the file has mistakes; nothing was changed", mistakes})
		return
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, ErrConflict):
		status = http.StatusConflict
	case errors.Is(err, ErrInvalid):
		status = http.StatusBadRequest
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled): // the asker has gone
		status = http.StatusServiceUnavailable
	}
	if status == http.StatusInternalServerError {
		// What went wrong inside is nothing to those outside.
		note(w, "", err)
		problem(w, status, internalError)
		return
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
