package dtls

import (
	"bytes"
	"net"
	"os"
	"sync"
	"time"
)

// waiting bounds the datagrams that wait to be read; a handshake has a dozen.
const waiting = 32

// Pipe is the way of an association's datagrams: Feed is where they come in, and
// send where they go out. Safe for concurrent use.
type Pipe struct {
	in     chan []byte
	closed chan struct{}
	send   func([]byte)

	mu       sync.Mutex
	muted    bool
	ended    bool
	deadline chan struct{} // closed when reading is to end
	timer    *time.Timer
}

// NewPipe makes one whose datagrams go out by send.
func NewPipe(send func([]byte)) *Pipe {
	return &Pipe{in: make(chan []byte, waiting), closed: make(chan struct{}), deadline: make(chan struct{}), send: send}
}

// Feed gives a datagram to the association. It never waits: one too many is lost,
// as on any network. b is the caller's again afterwards.
func (p *Pipe) Feed(b []byte) {
	select {
	case p.in <- bytes.Clone(b):
	default:
	}
}

// Mute has nothing more sent.
func (p *Pipe) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// Close implements net.PacketConn.
func (p *Pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disarm()
	if !p.ended {
		p.ended, p.muted = true, true
		close(p.closed)
	}
	return nil
}

// ReadFrom implements net.PacketConn.
func (p *Pipe) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	deadline := p.deadline
	p.mu.Unlock()
	select {
	case <-p.closed:
		return 0, nil, net.ErrClosed
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	default:
	}
	select {
	case d := <-p.in:
		return copy(b, d), p.LocalAddr(), nil
	case <-p.closed:
		return 0, nil, net.ErrClosed
	case <-deadline:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// WriteTo implements net.PacketConn.
func (p *Pipe) WriteTo(b []byte, _ net.Addr) (int, error) {
	p.mu.Lock()
	muted := p.muted
	p.mu.Unlock()
	if !muted {
		p.send(b)
	}
	return len(b), nil
}

// LocalAddr implements net.PacketConn; a pipe has no address to speak of.
func (p *Pipe) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetDeadline implements net.PacketConn: writing never waits.
func (p *Pipe) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn: writing never waits.
func (p *Pipe) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn, as the standard library's net.Pipe
// does it.
func (p *Pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disarm()
	passed := false
	select {
	case <-p.deadline:
		passed = true
	default:
	}
	if d := time.Until(t); t.IsZero() || d > 0 {
		if passed {
			p.deadline = make(chan struct{})
		}
		if deadline := p.deadline; d > 0 && !p.ended {
			p.timer = time.AfterFunc(d, func() { close(deadline) })
		}
		return nil
	}
	if !passed {
		close(p.deadline)
	}
	return nil
}

// disarm takes the deadline's timer away. The caller holds mu.
func (p *Pipe) disarm() {
	if p.timer != nil && !p.timer.Stop() {
		<-p.deadline // its function is closing it
	}
	p.timer = nil
}
