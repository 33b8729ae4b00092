package transport

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultUDPReadBuffer = 4 << 20
	defaultIdleTimeout   = time.Hour
	defaultWriteTimeout  = 5 * time.Second
	defaultAckTimeout    = 10 * time.Second // RFC 5626 §3.5.1 gives a pong as long
	defaultDialTimeout   = 3 * time.Second
)

// Layer owns all SIP sockets of the process. Its methods may be called from
// any goroutine.
type Layer struct {
	cfg    Config
	log    *slog.Logger
	ctx    context.Context // ends with Close; dials hang on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine of the layer
	answer limiter        // stateless answers
	paced  *pacer         // TLS handshakes that others ask for
	routes sources        // by which address the system reaches others
	tls    atomic.Pointer[tls.Config]
	serve  atomic.Pointer[map[string]*tls.Config] // by listener URL
	dscp   atomic.Int64                           // Config.DSCP

	mu        sync.RWMutex
	events    Events
	listeners []*Listener // that new dialogs may use
	retiring  []*Listener // see Replace
	conns     map[uint64]*conn
	reusable  map[Flow]*conn     // by path: connections that may carry new requests
	inbound   int                // connections that are open and count to limits
	sources   map[netip.Addr]int // the same by sourceOf
	limits    Limits
	dials     map[dialKey][]func(*conn, error)
	backs     backs
	lastConn  uint64
	remarked  bool // the DSCP has changed
	closed    bool
}

// New returns a layer without sockets.
func New(cfg Config) *Layer {
	cfg = withDefaults(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	t := &Layer{
		cfg:      cfg,
		log:      cfg.Log,
		ctx:      ctx,
		cancel:   cancel,
		answer:   limiter{rate: 100, burst: 100},
		paced:    newPacer(handshakeEvery, handshakeBurst, handshakePatience),
		conns:    make(map[uint64]*conn),
		reusable: make(map[Flow]*conn),
		sources:  make(map[netip.Addr]int),
		dials:    make(map[dialKey][]func(*conn, error)),
		backs:    backs{source: make(map[netip.Addr]int)},
	}
	t.SetTLS(cfg.TLS, cfg.Serve)
	t.SetLimits(cfg.Limits)
	t.dscp.Store(int64(cfg.DSCP))
	return t
}

func withDefaults(cfg Config) Config {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.OnMessage == nil {
		cfg.OnMessage = func(Inbound) {}
	}
	orInt(&cfg.UDPReadBuffer, defaultUDPReadBuffer)
	orDuration(&cfg.IdleTimeout, defaultIdleTimeout)
	orDuration(&cfg.WriteTimeout, defaultWriteTimeout)
	orDuration(&cfg.AckTimeout, defaultAckTimeout)
	orDuration(&cfg.DialTimeout, defaultDialTimeout)
	return cfg
}

func orInt(v *int, def int) {
	if *v <= 0 {
		*v = def
	}
}

func orDuration(v *time.Duration, def time.Duration) {
	if *v <= 0 {
		*v = def
	}
}

// Watch registers who hears of failures and refusals. Call it before Listen;
// a second call replaces the first.
func (t *Layer) Watch(ev Events) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = ev
}

// Listeners returns the listeners that new dialogs may use, in the order in which
// they were opened or put.
func (t *Layer) Listeners() []*Listener {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return append([]*Listener(nil), t.listeners...)
}

// Send writes b to f and never blocks. On a stream it goes to connection
// f.Conn, or with f.Conn 0 to an open connection to f.Remote; ErrNoConn when
// there is none. A nil error does not mean that the peer has it. The layer
// keeps b until it is written: it must not be changed afterwards.
func (t *Layer) Send(f Flow, b []byte) error {
	if t.cfg.Pretend != nil {
		return t.pretendSend(f, b)
	}
	if f.Proto == "udp" {
		return t.sendUDP(f, b)
	}
	c := t.lookup(f)
	if c == nil {
		return ErrNoConn
	}
	if t.cfg.Trace != nil {
		t.cfg.Trace(c.flow, false, b)
	}
	return c.write(b)
}

func (t *Layer) lookup(f Flow) *conn {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if f.Conn != 0 {
		return t.conns[f.Conn]
	}
	return t.reusable[f.path()]
}

func (t *Layer) sendUDP(f Flow, b []byte) error {
	l := f.Listener
	if l == nil || l.udp == nil || l.gone.Load() {
		if l = t.Pick("udp", f.Remote.Addr()); l == nil {
			return ErrNoSocket
		}
		f.Listener = l
	}
	if t.cfg.Trace != nil {
		t.cfg.Trace(f, false, b)
	}
	return l.udp.send(f.Remote, b)
}

// Close ends all sockets and connections, unsent messages included, and waits
// for the layer's goroutines. It must not be called from OnMessage.
func (t *Layer) Close() error {
	t.mu.Lock()
	t.closed = true
	listeners := slices.Concat(t.listeners, t.retiring)
	t.listeners, t.retiring = nil, nil
	conns := make([]*conn, 0, len(t.conns))
	for _, c := range t.conns {
		conns = append(conns, c)
	}
	t.mu.Unlock()

	t.cancel()
	for _, l := range listeners {
		l.closer.Close()
	}
	closeAll(conns)
	t.wg.Wait()
	return nil
}

func (t *Layer) watchers() Events {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.events
}

func (t *Layer) failed(f Flow, err error) {
	if ev := t.watchers(); ev.Failed != nil {
		ev.Failed(Failure{Flow: f, Err: err})
	}
}

func (t *Layer) reject(reason string) {
	if ev := t.watchers(); ev.Rejected != nil {
		ev.Rejected(reason)
	}
	if t.cfg.OnReject != nil {
		t.cfg.OnReject(reason)
	}
}
