package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"
)

// Server is the HTTP server.
type Server struct {
	http *http.Server
	ln   net.Listener
	done chan struct{}
}

const (
	questionTimeout = 5 * time.Second
	maxRequestBody  = 64 << 10
)

// Listen binds addr and serves b on it until Close. The error is one line that
// names addr.
func Listen(addr string, b Backend, log *slog.Logger) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, reason(err))
	}
	s := &Server{ln: ln, done: make(chan struct{}), http: &http.Server{
		Handler:           Handler(b),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // event streams set their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("HTTP server ended", "error", err)
		}
	}()
	return s, nil
}

// reason is the system's own word for why a socket cannot be opened, the address
// around it left out.
func reason(err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	return err
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close lets running requests finish until ctx ends, then cuts them off.
// Event streams are cut at once, by closing their Broker first.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.done
	return err
}

// Handler is the whole HTTP interface over b. A web page from elsewhere cannot
// use the browser of somebody who may reach it to change anything.
func Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	if b.Metrics != nil {
		mux.Handle("GET /metrics", b.Metrics)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		plain(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := b.Ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		plain(w, http.StatusOK, "ready\n")
	})
	mux.HandleFunc("GET /api/v1/calls", list(b.Calls))
	mux.HandleFunc("GET /api/v1/calls/{id}", one(b.Call))
	mux.HandleFunc("POST /api/v1/calls/{id}/recordings", b.start)
	mux.HandleFunc("GET /api/v1/recordings", list(b.Recordings))
	mux.HandleFunc("GET /api/v1/recordings/{id}", one(b.Recording))
	for _, verb := range []string{"pause", "resume", "stop"} {
		mux.HandleFunc("POST /api/v1/recordings/{id}/"+verb, one(func(ctx context.Context, id string) (any, error) {
			return b.Control(ctx, id, verb)
		}))
	}
	mux.HandleFunc("GET /api/v1/journal", b.journal)
	mux.HandleFunc("POST /api/v1/recordings/{id}/move", b.move)
	mux.HandleFunc("GET /api/v1/srs", list(b.SRSs))
	mux.HandleFunc("POST /api/v1/srs/{recorder}/{index}/drain", b.drain(true))
	mux.HandleFunc("POST /api/v1/srs/{recorder}/{index}/enable", b.drain(false))
	if b.Events != nil {
		mux.HandleFunc("GET /api/v1/events", b.Events.serve)
	}
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusForbidden, "a page of another origin may not do this")
	}))
	return guard.Handler(problems(mux))
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
	switch {
	case err == io.EOF:
		return req, 0, nil
	case errors.As(err, &large):
		return req, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", large.Limit)
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
