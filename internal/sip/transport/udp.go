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
	pc       *net.UDPConn
	raw      syscall.RawConn
}

func (t *Layer) openUDP(l *Listener, bind netip.AddrPort) error {
	lc := net.ListenConfig{Control: controlUDP}
	pc, err := lc.ListenPacket(context.Background(), network("udp", bind.Addr()), bind.String())
	if err != nil {
		return err
	}
	u := &udpSocket{layer: t, listener: l, pc: pc.(*net.UDPConn)}
	if u.raw, err = u.pc.SyscallConn(); err != nil {
		pc.Close()
		return err
	}
	// Best effort: the kernel caps both at its own limits.
	_ = u.pc.SetReadBuffer(t.cfg.UDPReadBuffer)
	_ = u.pc.SetWriteBuffer(t.cfg.UDPReadBuffer)
	l.Bound = unmap(u.pc.LocalAddr().(*net.UDPAddr).AddrPort())
	l.udp, l.closer = u, u.pc
	return nil
}

// readLoop ends only with the socket: any other error, ICMP reports included,
// is survived.
func (u *udpSocket) readLoop() {
	defer u.layer.wg.Done()
	buf := make([]byte, maxDatagram)
	pause := time.Duration(0)
	for {
		n, from, err := u.pc.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// A sender may have fetched the ICMP error already: an empty queue
			// is no reason to rest.
			if u.drainErrors() == 0 && !fromICMP(err) {
				pause = u.rest(pause, err)
			}
			continue
		}
		pause = 0
		if answer := stunAnswer(buf[:n], from); answer != nil {
			_ = u.send(from, answer) // as if lost on the way: it asks again
			continue
		}
		if b := withoutKeepAlive(buf[:n]); len(b) > 0 {
			f := Flow{Proto: "udp", Listener: u.listener, Remote: unmap(from)}
			u.layer.deliver(f, append([]byte(nil), b...))
		}
	}
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
