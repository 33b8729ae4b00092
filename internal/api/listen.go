package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
)

// place is where the server listens.
type place struct {
	name     string // as asked for
	listener net.Listener
	file     string // of a unix socket, removed at the end
}

// Listen binds addr and serves on it until Close. The error is one line that
// names addr.
func (s *Server) Listen(addr string) error {
	p, err := listenTCP(addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tcp = p
	s.serve(p)
	return nil
}

// ListenSocket serves on a unix socket that only its owner, and root, may open.
// What an ended process has left there is replaced.
func (s *Server) ListenSocket(file string) error {
	p, err := listenUnix(file)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket = p
	s.serve(p)
	return nil
}

func listenTCP(addr string) (*place, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, reason(err))
	}
	return &place{name: addr, listener: ln}, nil
}

func listenUnix(file string) (*place, error) {
	if was, err := os.Lstat(file); err == nil && was.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("listening on %s: there is something else than a socket", file)
	}
	if c, err := net.Dial("unix", file); err == nil {
		c.Close()
		return nil, fmt.Errorf("listening on %s: address already in use", file)
	}
	// Made where nobody else can see it, it never is more open than it should be.
	dir, err := os.MkdirTemp(filepath.Dir(file), ".sidetrack-")
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", file, reason(err))
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
		return nil, fmt.Errorf("listening on %s: %w", file, reason(err))
	}
	return &place{name: file, listener: ln, file: file}, nil
}

// close takes no more connections; those that are open go on.
func (p *place) close() {
	if p == nil {
		return
	}
	_ = p.listener.Close() // nothing is lost by what it says
	_ = p.remove()
}

func (p *place) remove() error {
	if p == nil || p.file == "" {
		return nil
	}
	if err := os.Remove(p.file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // somebody has been quicker
}

func (s *Server) serve(p *place) {
	l := &bounded{Listener: p.listener, sources: map[netip.Prefix]int{}}
	l.most, l.each = bound(s.conns)
	var ln net.Listener = l
	if p.file == "" {
		ln = &maybeTLS{ln, s}
	}
	s.wg.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.log.Error("HTTP server ended", "error", err)
		}
	})
}

// maybeTLS speaks TLS on new connections as the terms of the moment say.
type maybeTLS struct {
	net.Listener
	server *Server
}

// Accept returns the next connection. A handshake costs more than a request: who begins too
// many is closed before.
func (l *maybeTLS) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		t := l.server.terms.Load()
		if t.tls == nil {
			return c, nil
		}
		if t.shakes.allow(peerOf(c)) {
			return tls.Server(c, t.tls), nil
		}
		l.server.metrics.refused.WithLabelValues(refusedHandshake).Inc()
		c.Close()
	}
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
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tcp == nil {
		return nil
	}
	return s.tcp.listener.Addr()
}

// URLs are where the server listens, for the log.
func (s *Server) URLs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var urls []string
	if s.tcp != nil {
		scheme := "http://"
		if s.terms.Load().tls != nil {
			scheme = "https://"
		}
		urls = append(urls, scheme+s.tcp.listener.Addr().String())
	}
	if s.socket != nil {
		urls = append(urls, "unix://"+s.socket.file)
	}
	return urls
}
