package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// dialKey is what two Dials must agree on to share one attempt.
type dialKey struct {
	Flow
	timeout time.Duration
	back    bool // see DialBack
}

// Find returns f with the connection number of an open connection to f.Remote
// that f.Listener's requests may use.
func (t *Layer) Find(f Flow) (Flow, bool) {
	if t.cfg.Pretend != nil {
		return f, true
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if f.Conn != 0 {
		c, ok := t.conns[f.Conn]
		return f, ok && !c.retired.Load()
	}
	c := t.reusable[f.path()]
	if c == nil {
		return f, false
	}
	return c.flow, true
}

// Made tells whether the connection of a flow is open and one that we have made of
// our own accord: at its other end is whom we called, not who wanted to reach us.
func (t *Layer) Made(f Flow) bool {
	c := t.lookup(f)
	return c != nil && !c.theirs
}

// Dial connects to f.Remote in a worker, TLS handshake included, or takes a
// connection that is open. Attempts with the same path and timeout are one
// attempt; their callers are called in the order in which they asked. done is
// called once, from another goroutine, and must not block. timeout 0 means
// Config.DialTimeout. f.Conn is ignored.
func (t *Layer) Dial(f Flow, timeout time.Duration, done func(Flow, error)) {
	if timeout <= 0 {
		timeout = t.cfg.DialTimeout
	}
	t.dial(dialKey{Flow: f.path(), timeout: timeout}, done)
}

func (t *Layer) dial(key dialKey, done func(Flow, error)) {
	f := key.Flow
	waiter := func(c *conn, err error) {
		if err == nil {
			f.Conn = c.flow.Conn
		}
		done(f, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		go done(f, ErrClosed) // ends at once; Close need not wait for it
		return
	}
	waiters, running := t.dials[key]
	if key.back && !running && !t.mayDialBack(f) {
		go func() {
			t.reject(rejectConnLimit)
			done(f, ErrBusy)
		}()
		return
	}
	t.dials[key] = append(waiters, waiter)
	if !running {
		t.wg.Add(1)
		go t.dialWorker(key)
	}
}

func (t *Layer) dialWorker(key dialKey) {
	defer t.wg.Done()
	c, err := t.connect(key)
	t.mu.Lock()
	waiters := t.dials[key]
	delete(t.dials, key)
	if key.back {
		t.dialedBack(key.Flow)
	}
	t.mu.Unlock()
	for _, w := range waiters {
		w(c, err)
	}
}

func (t *Layer) connect(key dialKey) (*conn, error) {
	t.mu.RLock()
	open := t.reusable[key.Flow]
	t.mu.RUnlock()
	if open != nil {
		return open, nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, key.timeout)
	defer cancel()
	d := dialer(key.Flow)
	d.Control = t.mark
	nc, err := d.DialContext(ctx, network("tcp", key.Remote.Addr()), key.Remote.String())
	if err != nil {
		return nil, plain(err)
	}
	if key.Proto == "tls" {
		if nc, err = t.clientTLS(ctx, nc, key.Flow); err != nil {
			return nil, err
		}
	}
	c := &conn{flow: key.Flow, nc: nc, theirs: key.back}
	if err := t.add(c); err != nil {
		nc.Close()
		if errors.Is(err, errConnLimit) {
			t.reject(rejectConnLimit)
		}
		return nil, err
	}
	return c, nil
}

func (t *Layer) clientTLS(ctx context.Context, nc net.Conn, f Flow) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if base := cmp.Or(f.TLS, t.tls.Load()); base != nil {
		cfg = base.Clone()
	}
	cfg.ServerName = cmp.Or(cfg.ServerName, f.Server, f.Remote.Addr().WithZone("").String())
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// dialer leaves from the listener's address, never from its port (two peers
// could then not be told apart), and from the routing table's choice where the
// listener is a wildcard or could not reach the peer.
func dialer(f Flow) *net.Dialer {
	d := &net.Dialer{KeepAliveConfig: keepAlive}
	if l := f.Listener; l != nil {
		from := l.Bound.Addr()
		fits := from.Is4() == f.Remote.Addr().Is4() && (!from.IsLoopback() || f.Remote.Addr().IsLoopback())
		if fits && !from.IsUnspecified() {
			d.LocalAddr = &net.TCPAddr{IP: from.AsSlice(), Zone: from.Zone()}
		}
	}
	return d
}
