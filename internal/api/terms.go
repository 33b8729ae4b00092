package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
)

// Settings are what may change while the server runs.
type Settings struct {
	Access Access
	TLS    *tls.Config // nil: in clear
	Audit  *Audit      // nil: the log only
	Listen string      // host:port; "": none
	Socket string      // file; "": none
}

// terms are the settings in force, ready to be gone by.
type terms struct {
	access   Access
	tokens   hashed
	trail    *Audit
	tls      *tls.Config
	sources  *limiter // of requests
	shakes   *limiter // of TLS handshakes
	handler  http.Handler
	replaced chan struct{} // closed when others are in force
}

// agree puts new terms in force: they count for the next request of every
// connection.
func (s *Server) agree(to Settings) {
	was := s.terms.Load()
	now := &terms{access: to.Access, tokens: hash(to.Access.Tokens), trail: to.Audit, tls: to.TLS, replaced: make(chan struct{})}
	if was != nil && was.access.Rate == to.Access.Rate {
		now.sources, now.shakes = was.sources, was.shakes
	} else {
		now.sources, now.shakes = newLimiter(to.Access.Rate), newLimiter(to.Access.Rate)
	}
	now.handler = s.guard(now)
	s.terms.Store(now)
	if was != nil {
		close(was.replaced)
	}
}

// Prepare binds what is to be listened on; swap puts settings in force, undo
// gives them up, one of both is to be called. Connections that are open go on,
// by the new terms; what they were made by is closed. The error is one line that
// names the key.
func (s *Server) Prepare(to Settings) (swap, undo func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var made []*place
	change := func(key, name string, was *place, listen func(string) (*place, error)) (*place, error) {
		switch {
		case name == "":
			return nil, nil
		case was != nil && was.name == name:
			return was, nil
		}
		p, err := listen(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		made = append(made, p)
		return p, nil
	}
	undo = func() {
		for _, p := range made {
			p.close()
		}
	}
	tcp, err := change("http.listen", to.Listen, s.tcp, listenTCP)
	if err != nil {
		return nil, nil, err
	}
	socket, err := change("http.socket", to.Socket, s.socket, listenUnix)
	if err != nil {
		undo()
		return nil, nil, err
	}
	return func() {
		s.agree(to)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.tcp != tcp {
			s.tcp.close()
		}
		if s.socket != socket {
			s.socket.close()
		}
		s.tcp, s.socket = tcp, socket
		for _, p := range made {
			s.serve(p)
		}
	}, undo, nil
}

// whileAllowed ends the context of a request that lasts when other terms do not
// let it on any more.
func (s *Server) whileAllowed(r *http.Request, least Role) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		for {
			t := s.terms.Load()
			if c, wrong := t.identify(r); wrong != "" || c.Role < least {
				cancel()
				return
			}
			select {
			case <-t.replaced:
			case <-ctx.Done():
				return
			}
		}
	}()
	return r.WithContext(ctx), cancel
}
