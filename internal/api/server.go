package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
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

// Listen binds addr and serves b on it until Close. The error of a port in use
// is the system's own.
func Listen(addr string, b Backend, log *slog.Logger) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{ln: ln, done: make(chan struct{}), http: &http.Server{
		Handler:           Handler(b),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
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

// Handler is the whole HTTP interface over b.
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
	if b.Events != nil {
		mux.HandleFunc("GET /api/v1/events", b.Events.serve)
	}
	return problems(mux)
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
	var req StartRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		problem(w, http.StatusBadRequest, "the body is no valid request: "+err.Error())
		return
	}
	if d.More() {
		problem(w, http.StatusBadRequest, "the body holds more than one value")
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
