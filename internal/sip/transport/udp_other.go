//go:build !linux

package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Elsewhere ICMP errors of unconnected sockets are not told; Timer B and F
// notice dead peers.
func controlUDP(_, _ string, _ syscall.RawConn) error { return nil }

func (u *udpSocket) forceReadBuffer(int) {}

func (u *udpSocket) settle() (io.Closer, error) { return u.pc, nil }

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
			pause = u.failed(pause, err)
			continue
		}
		pause = 0
		u.handle(buf[:n], from, false)
	}
}

func (u *udpSocket) send(to netip.AddrPort, b []byte) error {
	_, err := u.pc.WriteToUDPAddrPort(b, to)
	return err
}

func (u *udpSocket) drainErrors() int { return 0 }

func fromICMP(error) bool { return false }
