package hep

import (
	"bufio"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	dialTime  = 3 * time.Second
	writeTime = 3 * time.Second
	minWait   = time.Second // between connections that fail,
	maxWait   = 30 * time.Second
)

// link is the connection to the receiver. A link that cannot be made is tried
// again a while later; what is to be sent meanwhile is not kept, for what it
// tells is about the present.
type link struct {
	to   *Receiver // nil: none
	log  *slog.Logger
	ctx  context.Context
	tell func(k Kind, sent bool) // once for each packet that send was given

	conn net.Conn
	stop func() bool   // ends the watch over conn
	out  *bufio.Writer // of a stream
	held []Kind        // packets that out may hold
	read sync.WaitGroup
	wait time.Duration
	next time.Time // not tried before
	said bool      // that it does not work
}

// turn has the link lead to a receiver, with a new connection where the address is
// another.
func (l *link) turn(to *Receiver) {
	if was := l.to; was == to {
		return
	} else if was != nil && (to == nil || was.Proto != to.Proto || was.Address != to.Address) {
		l.close()
		l.wait, l.next, l.said = 0, time.Time{}, false
	}
	l.to = to
}

// send writes one packet; flush has what was collected leave.
func (l *link) send(k Kind, b []byte, flush bool) {
	if l.ctx.Err() != nil || l.conn == nil && !l.dial() {
		l.tell(k, false)
		return
	}
	l.held = append(l.held, k)
	err := l.write(b, flush)
	if err != nil && l.out == nil { // what ICMP tells of is an earlier datagram
		err = l.write(b, flush)
	}
	if err != nil {
		l.failed(err)
		return
	}
	l.wait = 0
	if l.said {
		l.said = false
		l.log.Info("HEP packets are taken again", "address", l.to.Address)
	}
	if l.out == nil || l.out.Buffered() == 0 {
		l.settle(true)
	}
}

// settle tells what became of the packets that were held.
func (l *link) settle(sent bool) {
	for _, k := range l.held {
		l.tell(k, sent)
	}
	l.held = l.held[:0]
}

func (l *link) write(b []byte, flush bool) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if l.out == nil {
		_, err := l.conn.Write(b)
		return err
	}
	_, err := l.out.Write(b)
	if err == nil && flush {
		err = l.out.Flush()
	}
	return err
}

// dial connects where it is time to.
func (l *link) dial() bool {
	if time.Now().Before(l.next) {
		return false
	}
	network := "udp"
	if l.to.Proto != "udp" {
		network = "tcp"
	}
	ctx, cancel := context.WithTimeout(l.ctx, dialTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, l.to.Address)
	if err == nil && l.to.Proto == "tls" {
		conn, err = l.shake(ctx, conn)
	}
	if err != nil {
		l.failed(err)
		return false
	}
	l.conn, l.out = conn, nil
	l.stop = context.AfterFunc(l.ctx, func() { conn.Close() }) // a write that hangs ends
	if network == "tcp" {
		l.out = bufio.NewWriterSize(conn, 1<<16)
		l.read.Go(func() { discard(conn) })
	}
	return true
}

// shake makes TLS of a connection.
func (l *link) shake(ctx context.Context, conn net.Conn) (net.Conn, error) {
	config := &tls.Config{}
	if l.to.TLS != nil {
		config = l.to.TLS.Clone()
	}
	config.ServerName, _, _ = net.SplitHostPort(l.to.Address)
	t := tls.Client(conn, config)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return t, nil
}

// discard reads what a receiver says, which is nothing, so that its end shows. It
// ends with the connection.
func discard(conn net.Conn) {
	var b [512]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			conn.Close()
			return
		}
	}
}

// failed gives the connection up for a while.
func (l *link) failed(err error) {
	if !l.said && l.ctx.Err() == nil {
		l.said = true
		l.log.Warn("HEP packets are lost", "address", l.to.Address, "error", err)
	}
	l.settle(false)
	l.close()
	l.wait = min(max(2*l.wait, minWait), maxWait)
	l.next = time.Now().Add(l.wait)
}

func (l *link) close() {
	if l.conn == nil {
		return
	}
	if len(l.held) > 0 {
		l.settle(l.out.Flush() == nil)
	}
	l.stop() // else the watches of all connections there ever were would stay
	l.conn.Close()
	l.read.Wait()
	l.conn = nil
}
