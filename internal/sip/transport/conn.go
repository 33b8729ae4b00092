package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/sip"
)

const (
	maxQueued        = 1 << 20          // octets waiting for a slow peer
	firstMessageTime = 30 * time.Second // a connection must say something sensible within
	messageTime      = 15 * time.Second // from the first octet of a message to its last
	ackSlack         = 2 * time.Second  // the kernel counts from its first repetition
	flushTime        = time.Second      // for an answer to a peer about to be cut off
	maxJunk          = 16               // messages in a row that are no SIP
)

// conn is one stream connection: a reader goroutine, a writer goroutine and
// the queue between the layer's users and the writer.
type conn struct {
	layer   *Layer
	flow    Flow
	inbound bool // the peer has made it
	theirs  bool // or it was made back to him: limits count it, and he must say something
	nc      net.Conn
	ended   chan struct{} // closed by close

	// Owned by the reader.
	frames framer
	spoken bool      // a whole SIP message has come
	junk   int       // messages since the last one that was SIP
	begun  time.Time // when the message now being read began; zero between messages

	retired atomic.Bool // see Retire

	mu     sync.Mutex
	heard  time.Time // when something came last; zero: never
	queue  net.Buffers
	queued int
	pong   bool          // one is in queue
	wake   chan struct{} // capacity 1: the writer has work
	err    error         // why it was closed; nil while open
}

// write queues b. It never blocks.
func (c *conn) write(b []byte) error {
	c.mu.Lock()
	switch {
	case c.err != nil:
		c.mu.Unlock()
		return ErrNoConn
	case c.queued+len(b) > maxQueued:
		c.mu.Unlock()
		return ErrQueueFull
	}
	c.queue = append(c.queue, b)
	c.queued += len(b)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// close ends the connection; the first reason stays.
func (c *conn) close(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		close(c.ended)
		c.nc.Close()
	}
}

// closeAll closes connections side by side: TLS says goodbye, for up to five seconds each
// to peers that read nothing.
func closeAll(conns []*conn) {
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() { c.close(ErrClosed) })
	}
	all.Wait()
}

func (c *conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// writeLoop writes what is queued. While something is on its way the kernel is to
// end the connection soon if nothing is acknowledged: a peer that lost its power
// or its address would else swallow requests for minutes. On a silent connection it
// is not: the same setting would have one lost keep-alive end it.
func (c *conn) writeLoop() {
	defer c.layer.wg.Done()
	socket := c.socket()
	strict, calm := false, time.NewTimer(0)
	defer calm.Stop()
	for {
		select {
		case <-c.wake:
		case <-calm.C:
			if strict {
				limitUnacked(socket, 0)
			}
			strict = false
			continue
		case <-c.ended:
			return
		}
		if socket != nil {
			if !strict {
				limitUnacked(socket, c.layer.cfg.AckTimeout)
			}
			strict = true
			calm.Reset(2*c.layer.cfg.AckTimeout + ackSlack)
		}
		c.mu.Lock()
		batch := c.queue
		c.queue, c.pong = nil, false
		c.mu.Unlock()
		if len(batch) == 0 {
			continue
		}
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.layer.cfg.WriteTimeout))
		n, err := batch.WriteTo(c.nc)
		if err != nil {
			c.close(err)
			return
		}
		c.mu.Lock()
		c.queued -= int(n)
		c.mu.Unlock()
	}
}

// readLoop runs the connection's whole life and tells of its end, after every
// message that came before it.
func (c *conn) readLoop() {
	defer c.layer.wg.Done()
	err := c.handshake()
	for err == nil {
		if err = c.fill(); err == nil {
			err = c.drain()
		}
	}
	c.close(err)
	c.layer.remove(c)
	c.layer.failed(c.flow, c.reason())
}

func (c *conn) handshake() error {
	tc, ok := c.nc.(*tls.Conn)
	if !ok || !c.inbound {
		return nil
	}
	if err := c.awaitTurn(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.layer.ctx, firstMessageTime)
	defer cancel()
	return tc.HandshakeContext(ctx)
}

func (c *conn) fill() error {
	c.mu.Lock()
	_ = c.nc.SetReadDeadline(c.deadline(time.Now()))
	c.mu.Unlock()
	n, err := c.nc.Read(c.frames.room())
	c.frames.filled(n)
	if n > 0 {
		c.mu.Lock()
		c.heard = time.Now()
		c.mu.Unlock()
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.layer.reject(rejectIdle)
	}
	return err
}

// deadline is how long the peer may take now. A message that has begun has a
// time of its own, so that a drip feed cannot hold the connection.
func (c *conn) deadline(now time.Time) time.Time {
	idle := c.layer.cfg.IdleTimeout
	if !c.frames.partial() {
		c.begun = time.Time{}
		if c.theirs && !c.spoken {
			idle = min(firstMessageTime, idle)
		}
		if c.retired.Load() {
			idle = min(retiredTime, idle)
		}
		return now.Add(idle)
	}
	if c.begun.IsZero() {
		c.begun = now
	}
	return c.begun.Add(min(messageTime, idle))
}

var errJunk = errors.New("not a SIP peer")

// drain hands on every whole message that has been read.
func (c *conn) drain() error {
	for {
		msg, ping, err := c.frames.next()
		if ping {
			c.sendPong()
		}
		switch {
		case err != nil:
			c.refuse(msg, err)
			return err
		case msg == nil:
			return nil
		}
		c.begun = time.Time{}
		if c.layer.deliver(c.flow, msg, c.frames.partial()) {
			c.spoken, c.junk = true, 0
		} else if c.junk++; c.junk >= maxJunk {
			c.layer.reject(rejectFraming)
			return errJunk
		}
	}
}

// sendPong answers a ping, unless an answer waits to be written: to a peer that
// does not read, pings are not to be a means of filling our memory.
func (c *conn) sendPong() {
	c.mu.Lock()
	waits := c.pong
	c.pong = true
	c.mu.Unlock()
	if !waits {
		_ = c.write([]byte("\r\n"))
	}
}

// refuse answers a request whose borders are unknown, as far as its header
// allows, before the connection is closed.
func (c *conn) refuse(head []byte, err error) {
	status, reason := 400, "Missing or Bad Content-Length"
	if errors.Is(err, errTooLarge) {
		status, reason = 513, "Message Too Large"
		c.layer.reject(rejectTooLarge)
	} else {
		c.layer.reject(rejectFraming)
	}
	if head == nil {
		return
	}
	req, perr := sip.Parse(head)
	var pe *sip.ParseError
	if errors.As(perr, &pe) {
		req = pe.Msg
	}
	c.layer.answerStateless(c.flow, req, status, reason)
	c.flush()
}

// flush waits briefly until the writer has taken all that is queued.
func (c *conn) flush() {
	deadline := time.Now().Add(flushTime)
	for time.Now().Before(deadline) {
		c.mu.Lock()
		empty := c.queued == 0
		c.mu.Unlock()
		if empty {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-c.ended:
			return
		}
	}
}
