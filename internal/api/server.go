package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
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
}

// Server is the HTTP server.
type Server struct {
	backend Backend
	access  Access
	tokens  hashed
	log     *slog.Logger
	trail   *Audit
	tls     *tls.Config
	metrics *metrics
	sources *limiter
	handler http.Handler
	http    *http.Server
	addr    net.Addr
	socket  string // file to remove
	wg      sync.WaitGroup
}

const (
	questionTimeout = 5 * time.Second
	maxRequestBody  = 64 << 10
)

// New returns a server that listens nowhere yet.
func New(cfg Config) *Server {
	s := &Server{
		backend: cfg.Backend, access: cfg.Access, tokens: hash(cfg.Access.Tokens), log: cfg.Log, trail: cfg.Audit, tls: cfg.TLS,
		metrics: newMetrics(cfg.Registerer), sources: newLimiter(cfg.Access.Rate),
	}
	s.handler = s.guard(s.routes())
	s.http = &http.Server{
		Handler:           s.handler,
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

// Listen binds addr and serves on it until Close. The error is one line that
// names addr.
func (s *Server) Listen(addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", addr, reason(err))
	}
	s.addr = ln.Addr()
	s.serve(ln, s.tls)
	return nil
}

// ListenSocket serves on a unix socket that only its owner, and root, may open.
// What an ended process has left there is replaced.
func (s *Server) ListenSocket(file string) error {
	if c, err := net.Dial("unix", file); err == nil {
		c.Close()
		return fmt.Errorf("listening on %s: address already in use", file)
	}
	// Made where nobody else can see it, it never is more open than it should be.
	dir, err := os.MkdirTemp(filepath.Dir(file), ".sidetrack-")
	if err != nil {
		return fmt.Errorf("listening on %s: %w", file, reason(err))
	}
	defer os.RemoveAll(dir)
	hidden := filepath.Join(dir, "socket")
	ln, err := net.Listen("unix", hidden)
	if err == nil {
		ln.(*net.UnixListener).SetUnlinkOnClose(false)
		if err = errors.Join(os.Chmod(hidden, 0o600), os.Rename(hidden, file)); err != nil {
			ln.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("listening on %s: %w", file, reason(err))
	}
	s.socket = file
	s.serve(ln, nil)
	return nil
}

func (s *Server) serve(ln net.Listener, config *tls.Config) {
	ln = &bounded{Listener: ln, sources: map[netip.Addr]int{}}
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	s.wg.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP server ended", "error", err)
		}
	})
}

// reason is the system's own word for why a socket or file cannot be opened, the
// address around it left out.
func reason(err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		return sys.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Addr is where the server listens; nil when it has no address.
func (s *Server) Addr() net.Addr { return s.addr }

// URLs are where the server listens, for the log.
func (s *Server) URLs() []string {
	var urls []string
	if s.addr != nil {
		scheme := "http://"
		if s.tls != nil {
			scheme = "https://"
		}
		urls = append(urls, scheme+s.addr.String())
	}
	if s.socket != "" {
		urls = append(urls, "unix://"+s.socket)
	}
	return urls
}

// ServeHTTP answers one request as the sockets do.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close lets running requests finish until ctx ends, then cuts them off.
// Event streams are cut at once, by closing their Broker first.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	s.wg.Wait()
	if s.socket != "" {
		err = errors.Join(err, os.Remove(s.socket))
	}
	return err
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
