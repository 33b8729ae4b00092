package transport

import (
	"net/netip"
	"time"
)

// Layer owns all SIP sockets of the process.
type Layer struct{ cfg Config }

// New returns a layer without sockets.
func New(cfg Config) *Layer { return &Layer{cfg: cfg} }

// Listen opens one socket.
func (t *Layer) Listen(url, advertise string) (*Listener, error) { return nil, ErrClosed }

// Listeners returns the open listeners in the order of their opening.
func (t *Layer) Listeners() []*Listener { return nil }

// Pick returns the listener from which a request to remote leaves: same
// protocol ("" for any) and address family. Nil when there is none.
func (t *Layer) Pick(proto string, remote netip.Addr) *Listener { return nil }

// Watch registers who hears of failures; call it before Listen.
func (t *Layer) Watch(ev Events) {}

// Send writes b to f and never blocks.
func (t *Layer) Send(f Flow, b []byte) error { return ErrNoConn }

// Find returns the flow of an open connection to f.Remote.
func (t *Layer) Find(f Flow, serverName string) (Flow, bool) { return f, false }

// Dial connects to f.Remote in a worker; done is called once from another goroutine.
func (t *Layer) Dial(f Flow, serverName string, timeout time.Duration, done func(Flow, error)) {
	go done(f, ErrClosed)
}

// Close ends all sockets and waits for the goroutines.
func (t *Layer) Close() error { return nil }
