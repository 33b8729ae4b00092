package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// tracked is a ResponseWriter that remembers what was answered.
type tracked struct {
	http.ResponseWriter
	status int
	detail string // of a problem
	cause  error  // of a 500: for the log, not for the asker
	audit  func() // writes the action down; once
}

func (w *tracked) WriteHeader(n int) {
	if w.status == 0 {
		w.status = n
	}
	w.ResponseWriter.WriteHeader(n)
}

func (w *tracked) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *tracked) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// heard keeps the beginning of a body while it is read.
type heard struct {
	io.ReadCloser
	kept bytes.Buffer
}

// Read reads on.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if room := auditedBody + 1 - h.kept.Len(); room > 0 {
		h.kept.Write(p[:min(n, room)])
	}
	return n, err
}

// json is the body where it is JSON and short.
func (h *heard) json() json.RawMessage {
	if b := h.kept.Bytes(); len(b) <= auditedBody && json.Valid(b) {
		var one bytes.Buffer
		if json.Compact(&one, b) == nil {
			return one.Bytes()
		}
	}
	return nil
}

// operate runs one operation for a known caller: the role is checked, a panic
// costs one answer, and what changes something is written down.
func (s *Server) operate(op operation) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		w := &tracked{ResponseWriter: rw}
		body := &heard{ReadCloser: r.Body}
		c := callerOf(r.Context())
		w.audit = sync.OnceFunc(func() {
			if op.changes() {
				s.Audit(Action{Time: time.Now().UTC(), Who: c.Name, Role: c.Role.String(), Source: c.Source, Action: op.id, Target: r.URL.Path, Body: body.json(), Status: w.status, Detail: w.detail})
			}
		})
		defer func() {
			p := recover()
			if p != nil && p != http.ErrAbortHandler {
				s.log.Error("an HTTP request failed", "operation", op.id, "error", p, "stack", string(debug.Stack()))
				if w.status == 0 {
					problem(w, http.StatusInternalServerError, internalError)
				}
			}
			if w.cause != nil {
				s.log.Error("an HTTP request failed", "operation", op.id, "error", w.cause)
			}
			s.metrics.requests.WithLabelValues(op.id, strconv.Itoa(w.status)).Inc()
			w.audit()
			if p == http.ErrAbortHandler {
				panic(p) // the server cuts the answer off
			}
		}()
		if c.Role < op.role {
			s.metrics.refused.WithLabelValues(refusedRole).Inc()
			problem(w, http.StatusForbidden, "this needs the role "+op.role.String()+"; "+c.Name+" has "+c.Role.String())
			return
		}
		if op.changes() {
			r.Body = body
		}
		if op.lasting() {
			var end context.CancelFunc
			r, end = s.whileAllowed(r, op.role)
			defer end()
		}
		op.serve(w, r)
	}
}

const internalError = "the proxy could not answer; its log tells why"

// note leaves with the writer what the audit log and the log want to know.
func note(w http.ResponseWriter, detail string, cause error) {
	if t := trackedOf(w); t != nil {
		t.detail, t.cause = detail, errors.Join(t.cause, cause)
	}
}

// declare has an action written down before it is over.
func declare(w http.ResponseWriter) {
	if t := trackedOf(w); t != nil {
		t.audit()
	}
}

func trackedOf(w http.ResponseWriter) *tracked {
	for {
		switch v := w.(type) {
		case *tracked:
			return v
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
}
