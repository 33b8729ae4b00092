package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"
)

// acceptLoop takes connections until the listener is closed. Other errors,
// "too many open files" above all, pass: it waits and goes on.
func (t *Layer) acceptLoop(l *Listener, nl net.Listener) {
	defer t.wg.Done()
	pause := time.Duration(0)
	for {
		nc, err := nl.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			t.log.Warn("accepting SIP connections", "listener", l.URL, "error", err)
			select {
			case <-time.After(pause):
			case <-t.ctx.Done():
				return
			}
			continue
		}
		pause = 0
		t.accepted(l.current.Load(), nc)
	}
}

func (t *Layer) accepted(l *Listener, nc net.Conn) {
	remote := unmap(nc.RemoteAddr().(*net.TCPAddr).AddrPort())
	if l.Proto == "tls" {
		nc = tls.Server(nc, t.serving(l))
	}
	c := &conn{flow: Flow{Proto: l.Proto, Listener: l, Remote: remote}, nc: nc, inbound: true, theirs: true}
	if err := t.add(c); err != nil {
		nc.Close()
		t.reject(rejectConnLimit)
		t.log.Debug("connection refused", "remote", remote, "error", err)
	}
}

var errConnLimit = errors.New("too many connections")

// add registers a connection and starts its goroutines.
func (t *Layer) add(c *conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	if c.theirs {
		source := sourceOf(c.flow.Remote.Addr())
		if t.inbound >= t.limits.Conns || t.sources[source] >= t.limits.PerSource {
			return errConnLimit
		}
		t.inbound++
		t.sources[source]++
	}
	t.lastConn++
	c.layer = t
	c.flow.Conn = t.lastConn
	c.wake = make(chan struct{}, 1)
	c.ended = make(chan struct{})
	t.conns[c.flow.Conn] = c
	if t.remarked { // it was opened, or its socket asked for it, with what was in force then
		c.remark(int(t.dscp.Load()))
	}
	if key, ok := c.path(); ok {
		t.reusable[key] = c
	}
	t.wg.Add(2)
	go c.readLoop()
	go c.writeLoop()
	return nil
}

// path returns under which key new requests may use the connection. An
// accepted TLS connection has no server name that we checked, so it only
// carries what names it explicitly.
func (c *conn) path() (Flow, bool) {
	return c.flow.path(), !c.inbound || c.flow.Proto != "tls"
}

func (t *Layer) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, c.flow.Conn)
	if key, ok := c.path(); ok && t.reusable[key] == c {
		delete(t.reusable, key)
	}
	if c.theirs {
		t.inbound--
		t.forgetSource(sourceOf(c.flow.Remote.Addr()))
	}
}

func (t *Layer) forgetSource(a netip.Addr) {
	if t.sources[a]--; t.sources[a] <= 0 {
		delete(t.sources, a)
	}
}
