//go:build !linux

package transport

import (
	"net/netip"
	"syscall"
)

// Elsewhere ICMP errors of unconnected sockets are not told; Timer B and F
// notice dead peers.
func controlUDP(_, _ string, _ syscall.RawConn) error { return nil }

func (u *udpSocket) send(to netip.AddrPort, b []byte) error {
	_, err := u.pc.WriteToUDPAddrPort(b, to)
	return err
}

func (u *udpSocket) drainErrors() int { return 0 }

func fromICMP(error) bool { return false }
