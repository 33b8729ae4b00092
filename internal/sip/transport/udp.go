package transport

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const maxDatagram = 65535

// udpSocket is one UDP socket: a read loop, and sends from any goroutine.
type udpSocket struct {
	layer    *Layer
	listener *Listener
	pc       *net.UDPConn // until settle, where that takes the socket over
	raw      syscall.RawConn
	gate     syscall.RawConn // tells when there is something to read, where settle made one
}

func (t *Layer) openUDP(l *Listener, bind netip.AddrPort) error {
	lc := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		return errors.Join(controlUDP(network, address, c), t.mark(network, address, c))
	}}
	pc, err := lc.ListenPacket(context.Background(), network("udp", bind.Addr()), bind.String())
	if err != nil {
		return err
	}
	u := &udpSocket{layer: t, listener: l, pc: pc.(*net.UDPConn)}
	if u.raw, err = u.pc.SyscallConn(); err != nil {
		pc.Close()
		return err
	}
	// Best effort: the kernel caps both at its own limits, unless we may exceed them.
	_ = u.pc.SetReadBuffer(t.cfg.UDPReadBuffer)
	u.forceReadBuffer(t.cfg.UDPReadBuffer)
	_ = u.pc.SetWriteBuffer(t.cfg.UDPReadBuffer)
	l.Bound = unmap(u.pc.LocalAddr().(*net.UDPAddr).AddrPort())
	if l.closer, err = u.settle(); err != nil {
		u.pc.Close()
		return err
	}
	l.udp = u
	return nil
}

// handle takes one datagram; more tells that another one has been read already.
// b is used again after it.
func (u *udpSocket) handle(b []byte, from netip.AddrPort, more bool) {
	if answer := stunAnswer(b, from); answer != nil {
		_ = u.send(from, answer) // as if lost on the way: it asks again
		return
	}
	if b = withoutKeepAlive(b); len(b) > 0 {
		u.layer.deliver(Flow{Proto: "udp", Listener: u.listener.current.Load(), Remote: unmap(from)}, b, more)
	}
}

// failed survives an error of reading, ICMP reports included: only the end of the
// socket ends its loop.
func (u *udpSocket) failed(pause time.Duration, err error) time.Duration {
	// A sender may have fetched the ICMP error already: an empty queue is no
	// reason to rest.
	if u.drainErrors() > 0 || fromICMP(err) {
		return 0
	}
	return u.rest(pause, err)
}

// rest keeps an error that does not go away from turning the loop into a hot one.
func (u *udpSocket) rest(pause time.Duration, err error) time.Duration {
	if pause == 0 {
		u.layer.log.Warn("reading SIP datagrams", "listener", u.listener.URL, "err", err)
		return time.Millisecond
	}
	select {
	case <-time.After(pause):
	case <-u.layer.ctx.Done():
	}
	return min(2*pause, time.Second)
}

// withoutKeepAlive cuts what may stand before a message and drops what shares
// the port with SIP: empty datagrams, CRLF and NUL keep-alives, and what is left of
// STUN, whose first octet is below 4. None of these needs an answer from us.
func withoutKeepAlive(b []byte) []byte {
	if b = bytes.TrimLeft(b, "\r\n\x00"); len(b) > 0 && b[0] <= 3 {
		return nil
	}
	return b
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
