package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Server serves, and to whom.
type Config struct {
	Backend    Backend
	Access     Access
	TLS        *tls.Config // nil: in clear
	Audit      *Audit      // nil: control actions are told in the log only
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics of its own
	Conns      int                   // connections to one address at most; 0, or above it: 1024
}

// Server is the HTTP server.
type Server struct {
	backend Backend
	log     *slog.Logger
	metrics *metrics
	http    *http.Server
	conns   int
	wg      sync.WaitGroup
	terms   atomic.Pointer[terms]

	mu          sync.Mutex
	tcp, socket *place // nil: none
}

const (
	questionTimeout = 5 * time.Second
	maxRequestBody  = 64 << 10
)

// New returns a server that listens nowhere yet.
func New(cfg Config) *Server {
	s := &Server{backend: cfg.Backend, log: cfg.Log, metrics: newMetrics(cfg.Registerer), conns: cfg.Conns}
	s.agree(Settings{Access: cfg.Access, TLS: cfg.TLS, Audit: cfg.Audit})
	s.http = &http.Server{
		Handler:           s,
		ConnContext:       connContext,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // event streams set their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// ServeHTTP answers one request as the sockets do.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.terms.Load().handler.ServeHTTP(w, r)
}

// Close lets running requests finish until ctx ends, then cuts them off.
// Event streams are cut at once, by closing their Broker first.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(err, s.socket.remove())
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// one answers with a single value.
func one(get func(ctx context.Context, id string) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
		defer cancel()
		v, err := get(ctx, r.PathValue("id"))
		if err != nil {
			fail(w, err)
			return
		}
		write(w, http.StatusOK, v)
	}
}

func (b Backend) start(w http.ResponseWriter, r *http.Request) {
	req, status, err := startRequest(http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err == io.EOF {
		err = errors.New(`the body is empty; write {"recorder": "name of a recorder"}`)
	}
	if err != nil {
		problem(w, status, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	v, err := b.Start(ctx, r.PathValue("id"), req)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusCreated, v)
}

// move takes a recording to another SRS; the request needs no body.
func (b Backend) move(w http.ResponseWriter, r *http.Request) {
	req, status, err := request[MoveRequest](http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err != nil && err != io.EOF {
		problem(w, status, err.Error())
		return
	}
	one(func(ctx context.Context, id string) (any, error) { return b.Move(ctx, id, req) })(w, r)
}

// tag adds parameters to a recording.
func (b Backend) tag(w http.ResponseWriter, r *http.Request) {
	req, status, err := request[TagRequest](http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err == nil && len(req.Parameters) == 0 || err == io.EOF {
		status, err = http.StatusBadRequest, errors.New(`parameters are missing; write {"parameters": {"agent": "7"}}`)
	}
	if err != nil {
		problem(w, status, err.Error())
		return
	}
	one(func(ctx context.Context, id string) (any, error) { return b.Tag(ctx, id, req) })(w, r)
}

// maxPause bounds the limit of a pause.
const maxPause = 24 * time.Hour

// pause stops the copies of a recording; the request needs no body.
func (b Backend) pause(w http.ResponseWriter, r *http.Request) {
	req, status, err := request[PauseRequest](http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err != nil && err != io.EOF {
		problem(w, status, err.Error())
		return
	}
	var limit time.Duration
	if req.Limit != "" {
		if limit, err = time.ParseDuration(req.Limit); err != nil || limit < 0 || limit > maxPause {
			problem(w, http.StatusBadRequest, "limit is no duration up to 24h, such as 30s")
			return
		}
	}
	one(func(ctx context.Context, id string) (any, error) { return b.Pause(ctx, id, limit) })(w, r)
}

// mask hides voices in a recording, or ends that; the request needs no body.
func (b Backend) mask(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req, status, err := request[MaskRequest](http.MaxBytesReader(w, r.Body, maxRequestBody))
		if err != nil && err != io.EOF {
			problem(w, status, err.Error())
			return
		}
		one(func(ctx context.Context, id string) (any, error) { return b.Mask(ctx, id, req.Tracks, on) })(w, r)
	}
}

// startRequest reads the body of a request to start a recording; status is for
// the answer where err is not nil.
func startRequest(body io.Reader) (req StartRequest, status int, err error) {
	return request[StartRequest](body)
}

// request reads a body of one JSON object; an empty one is io.EOF. status is
// for the answer where err is not nil.
func request[T any](body io.Reader) (req T, status int, err error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err = d.Decode(&req); err == nil {
		// Exactly one value: what follows must be the end.
		if _, err = d.Token(); err == nil {
			return req, http.StatusBadRequest, errors.New("the body holds more than one value")
		}
	} else if err == io.EOF {
		return req, http.StatusBadRequest, io.EOF
	}
	var large *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	switch {
	case err == io.EOF:
		return req, 0, nil
	case errors.As(err, &large):
		return req, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", large.Limit)
	case errors.As(err, &kind): // without the names of our types
		err = fmt.Errorf("no value of type %s belongs into %s", kind.Value, cmp.Or(kind.Field, "it"))
	}
	return req, http.StatusBadRequest, fmt.Errorf("the body is no valid request: %w", err)
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		problem(w, http.StatusInternalServerError, "the answer could not be encoded")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}
