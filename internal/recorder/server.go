package recorder

import "context"

// Server is a Session Recording Server.
type Server struct {
	cfg Config
}

// New checks the configuration. Nothing is opened before Start.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg}, nil
}

// Start opens the listeners. An address in use is told in one line.
func (s *Server) Start() error { return nil }

// URIs returns one SIP URI per listener, in the order of Config.Listen.
func (s *Server) URIs() []string { return nil }

// Sessions returns the live sessions and those that ended last, oldest first.
func (s *Server) Sessions() []Summary { return nil }

// Close ends all sessions with BYE, writes their files and releases everything.
func (s *Server) Close(ctx context.Context) error { return nil }
