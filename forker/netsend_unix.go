//go:build unix && !aix

package forker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// netSender sends on a net.UDPConn without ever waiting: Go's own WriteTo
// would park the goroutine while the send buffer is full. The closure is made
// once and reads its arguments from the struct, so that nothing is allocated.
type netSender struct {
	raw   syscall.RawConn
	six   bool
	wild  bool // bound to no address of its own
	write func(fd uintptr) bool
	peer  netip.AddrPort

	b     []byte
	to    unix.Sockaddr // four, six6 or nil
	four  unix.SockaddrInet4
	sixth unix.SockaddrInet6
	err   error
}

func (s *netSender) init(conn *net.UDPConn, six bool) (err error) {
	s.raw, err = conn.SyscallConn()
	s.six = six
	s.wild = conn.LocalAddr().(*net.UDPAddr).IP.IsUnspecified()
	s.write = func(fd uintptr) bool {
		s.err = unix.Sendto(int(fd), s.b, unix.MSG_DONTWAIT, s.to)
		return true
	}
	return err
}

func (s *netSender) mark(dscp int) error {
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		if s.six {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, dscp<<2)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, dscp<<2) // of what it sends to IPv4, where a system has that
			return
		}
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, dscp<<2)
	})
	return errors.Join(err, failed)
}

func (s *netSender) send(b []byte, to netip.AddrPort) error {
	if !to.IsValid() {
		to = s.peer
	}
	s.b, s.to = b, s.address(to)
	if err := s.raw.Write(s.write); err != nil {
		return err
	}
	s.b = nil
	return s.err
}

// address fills the right sockaddr; nil for the peer the kernel knows.
func (s *netSender) address(to netip.AddrPort) unix.Sockaddr {
	switch {
	case !to.IsValid():
		return nil
	case s.six:
		s.sixth.Port, s.sixth.Addr = int(to.Port()), to.Addr().As16()
		return &s.sixth
	case to.Addr().Is4():
		s.four.Port, s.four.Addr = int(to.Port()), to.Addr().As4()
		return &s.four
	}
	s.sixth.Port, s.sixth.Addr = int(to.Port()), to.Addr().As16() // the kernel refuses it
	return &s.sixth
}

// connect lets the kernel know the peer where that can be changed later
// (Linux), so that ICMP errors come back; elsewhere the address goes with
// each datagram. So it does from a socket at no address of its own: the kernel would keep to
// the one, and the family, that it has chosen for its first peer.
func (s *netSender) connect(peer netip.AddrPort) error {
	s.peer = peer
	if runtime.GOOS != "linux" || s.wild || !peer.IsValid() {
		return nil
	}
	var err error
	if cerr := s.raw.Control(func(fd uintptr) { err = unix.Connect(int(fd), s.address(peer)) }); cerr != nil {
		return cerr
	}
	if err != nil {
		return fmt.Errorf("connecting to %v: %w", peer, err)
	}
	s.peer = netip.AddrPort{}
	return nil
}
