package forker

// Engine owns the port range and the workers. Safe for concurrent use.
type Engine struct{}

// New checks cfg, starts the workers and registers the metrics.
func New(cfg Config) (*Engine, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	return &Engine{}, nil
}

// Close ends every relay and tap, closes all sockets and waits for the workers. Idempotent.
func (e *Engine) Close() error { return nil }

// Open makes the Relay of a new call; it has no stream and holds no port yet.
func (e *Engine) Open() *Relay { return &Relay{} }

// Ports tells how the port range is used now.
func (e *Engine) Ports() PortStats { return PortStats{} }
