//go:build unix

package recorder

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
)

// buffers are lent for the time of one read: a socket that waits holds none, so that each
// can have one for the largest datagram.
var buffers = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// receive waits for a datagram and passes it on; take may not keep its bytes.
func receive(conn *net.UDPConn, take func([]byte, netip.AddrPort)) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		buf := buffers.Get().(*[maxDatagram]byte)
		defer buffers.Put(buf)
		n, from, err := syscall.Recvfrom(int(fd), buf[:], 0)
		switch err {
		case nil:
			take(buf[:n], addrPort(from))
		case syscall.EAGAIN:
			return false
		default:
			fault = err
		}
		return true
	})
	return errors.Join(err, fault)
}

// addrPort is the sender of a datagram, with the zone as a number, as Go's sockets take it, too.
func addrPort(from syscall.Sockaddr) netip.AddrPort {
	switch a := from.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			addr = addr.WithZone(strconv.Itoa(int(a.ZoneId)))
		}
		return netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return netip.AddrPort{}
}
