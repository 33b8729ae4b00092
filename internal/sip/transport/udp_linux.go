//go:build linux

package transport

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// controlUDP asks the kernel to queue ICMP errors of an unconnected socket,
// so that a dead peer is known when its request is repeated instead of at Timer B, and to
// fragment large datagrams rather than refuse them.
func controlUDP(network, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		s := int(fd)
		if network == "udp4" {
			_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
			_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
			return
		}
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
	})
}

// forceReadBuffer sets the buffer above net.core.rmem_max where we have
// CAP_NET_ADMIN: what comes while all processors are busy is to wait, not to be lost.
func (u *udpSocket) forceReadBuffer(size int) {
	_ = u.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
	})
}

// fromICMP reports whether a socket error is one that the kernel tells once
// for each ICMP message.
func fromICMP(err error) bool {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENOPROTOOPT,
		unix.EPROTO, unix.EACCES, unix.EMSGSIZE, unix.EOPNOTSUPP:
		return true
	}
	return false
}

// drainErrors reads the socket's error queue, tells which peers are
// unreachable and returns how many entries there were.
func (u *udpSocket) drainErrors() int {
	n := 0
	for {
		peer, cause, more := u.nextError()
		if !more {
			return n
		}
		n++
		if peer.IsValid() && cause != nil {
			f := Flow{Proto: "udp", Listener: u.listener.current.Load(), Remote: unmap(peer)}
			u.layer.failed(f, cause)
		}
	}
}

// nextError takes one entry. Control rather than Read: the read loop holds the
// read lock while it waits.
func (u *udpSocket) nextError() (peer netip.AddrPort, cause error, more bool) {
	var oob [512]byte
	var data [1]byte
	_ = u.raw.Control(func(fd uintptr) {
		_, oobn, _, from, err := unix.Recvmsg(int(fd), data[:], oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		more = true
		cause = icmpError(oob[:oobn])
		switch a := from.(type) {
		case *unix.SockaddrInet4:
			peer = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
		case *unix.SockaddrInet6:
			peer = netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
		}
	})
	return peer, cause, more
}

// icmpError returns the error of a control message when it says that the peer
// cannot be reached (RFC 3261 §18.4); size and transit troubles give nil.
func icmpError(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range msgs {
		v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if (!v4 && !v6) || len(m.Data) < 16 {
			continue
		}
		origin := m.Data[4] // sock_extended_err: errno u32, origin u8, …
		errno := unix.Errno(binary.NativeEndian.Uint32(m.Data))
		fromICMP := origin == unix.SO_EE_ORIGIN_ICMP || origin == unix.SO_EE_ORIGIN_ICMP6
		switch errno {
		case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ENOPROTOOPT, unix.EACCES:
			if fromICMP || origin == unix.SO_EE_ORIGIN_LOCAL {
				return errno
			}
		}
	}
	return nil
}
