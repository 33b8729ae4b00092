package transport

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialKey is what two Dials must agree on to share one attempt.
type dialKey struct {
	pathKey
	timeout time.Duration
}

// Find returns f with the connection number of an open connection to f.Remote
// that f.Listener's requests may use. serverName counts for TLS only.
func (t *Layer) Find(f Flow, serverName string) (Flow, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if f.Conn != 0 {
		_, ok := t.conns[f.Conn]
		return f, ok
	}
	c := t.reusable[keyOf(f, serverName)]
	if c == nil {
		return f, false
	}
	f.Conn = c.flow.Conn
	return f, true
}

func keyOf(f Flow, serverName string) pathKey {
	if f.Proto != "tls" {
		serverName = ""
	}
	return pathKey{f.Proto, f.Remote, serverName, f.Listener}
}

// Dial connects to f.Remote in a worker, TLS handshake included, or takes a
// connection that is open. Attempts with the same path and timeout are one
// attempt; their callers are called in the order in which they asked. done is
// called once, from another goroutine, and must not block. timeout 0 means
// Config.DialTimeout. f.Conn is ignored.
func (t *Layer) Dial(f Flow, serverName string, timeout time.Duration, done func(Flow, error)) {
	if timeout <= 0 {
		timeout = t.cfg.DialTimeout
	}
	f.Conn = 0
	key := dialKey{keyOf(f, serverName), timeout}
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
	t.mu.Unlock()
	for _, w := range waiters {
		w(c, err)
	}
}

func (t *Layer) connect(key dialKey) (*conn, error) {
	t.mu.RLock()
	open := t.reusable[key.pathKey]
	t.mu.RUnlock()
	if open != nil {
		return open, nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, key.timeout)
	defer cancel()
	nc, err := dialer(key.pathKey).DialContext(ctx, network("tcp", key.remote.Addr()), key.remote.String())
	if err != nil {
		return nil, plain(err)
	}
	if key.proto == "tls" {
		if nc, err = t.clientTLS(ctx, nc, key); err != nil {
			return nil, err
		}
	}
	c := &conn{
		flow:   Flow{Proto: key.proto, Listener: key.listener, Remote: key.remote},
		server: key.serverName,
		nc:     nc,
	}
	if err := t.add(c); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

func (t *Layer) clientTLS(ctx context.Context, nc net.Conn, key dialKey) (net.Conn, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.cfg.TLS != nil {
		cfg = t.cfg.TLS.Clone()
	}
	cfg.ServerName = key.serverName
	if cfg.ServerName == "" {
		cfg.ServerName = key.remote.Addr().WithZone("").String()
	}
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
func dialer(key pathKey) *net.Dialer {
	d := &net.Dialer{KeepAliveConfig: keepAlive}
	if l := key.listener; l != nil {
		from := l.Bound.Addr()
		fits := from.Is4() == key.remote.Addr().Is4() && (!from.IsLoopback() || key.remote.Addr().IsLoopback())
		if fits && !from.IsUnspecified() {
			d.LocalAddr = &net.TCPAddr{IP: from.AsSlice(), Zone: from.Zone()}
		}
	}
	return d
}
