//go:build linux && (amd64 || arm64)

package forker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the packet path go to the kernel without telling Go's
// scheduler: none of them can wait, and the notice costs more than it gains.
// Arguments live in structs on the heap, so nothing is allocated.

// rawAddr is a socket address in the kernel's form. The zero value is of no family.
type rawAddr struct {
	sa   unix.RawSockaddrInet6 // the larger; an IPv4 address is laid over it
	size uint32
	last netip.AddrPort // what sa holds
}

// set encodes to for a socket of the given family.
func (a *rawAddr) set(to netip.AddrPort, six bool) {
	if a.size != 0 && to == a.last {
		return
	}
	a.last = to
	port := (*[2]byte)(unsafe.Pointer(&a.sa.Port))
	binary.BigEndian.PutUint16(port[:], to.Port())
	if six {
		a.sa.Family, a.sa.Addr, a.size = unix.AF_INET6, to.Addr().As16(), unix.SizeofSockaddrInet6
		return
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.sa))
	four.Family, a.size = unix.AF_INET, unix.SizeofSockaddrInet4
	if to.Addr().Is4() {
		four.Addr = to.Addr().As4()
	} else {
		four.Family = unix.AF_INET6 // the kernel refuses it: no way from IPv4 to IPv6
	}
}

// send sends one datagram; a zero address means the connected peer.
func (a *rawAddr) send(fd int, b []byte, to netip.AddrPort, six bool) syscall.Errno {
	var sa unsafe.Pointer
	var size uintptr
	if to.IsValid() {
		a.set(to, six)
		sa, size = unsafe.Pointer(&a.sa), uintptr(a.size)
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(sa), size)
	return errno
}

// rawSender receives datagrams and holds the sender of the last one.
type rawSender struct {
	sa   unix.RawSockaddrInet6
	size uint32
}

// receive reads one datagram into b without waiting.
func (r *rawSender) receive(fd int, b []byte) (int, syscall.Errno) {
	r.size = unix.SizeofSockaddrInet6
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&r.sa)), uintptr(unsafe.Pointer(&r.size)))
	return int(n), errno
}

// addr is the sender of the datagram received last; IPv4 in its own form also
// on an IPv6 socket.
func (r *rawSender) addr() netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&r.sa.Port))[:])
	if r.sa.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&r.sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(r.sa.Addr).Unmap(), port)
}

// rawBind opens a non-blocking UDP socket.
func rawBind(local netip.AddrPort, readBuffer int) (fd int, err error) {
	if fd, err = rawOpen(local.Addr().Is6(), local.Addr().IsUnspecified(), readBuffer); err != nil {
		return -1, err
	}
	if err = bindTo(fd, local, local.Addr().Is6()); err != nil {
		return -1, errors.Join(fmt.Errorf("binding %v: %w", local, err), shut(fd))
	}
	return fd, nil
}

// rawOpen is rawBind without the binding. A wild IPv6 socket takes IPv4, too.
func rawOpen(six, wild bool, readBuffer int) (fd int, err error) {
	family := unix.AF_INET
	if six {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a UDP socket: %w", os.NewSyscallError("socket", err))
	}
	if six {
		only := 1
		if wild {
			only = 0
		}
		err = option(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if err = errors.Join(err, option(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, readBuffer)); err != nil {
		return -1, errors.Join(fmt.Errorf("opening a UDP socket: %w", err), shut(fd))
	}
	return fd, nil
}

// rawDissolve takes a UDP socket's peer away.
func rawDissolve(fd int) error {
	var none unix.RawSockaddrInet6 // AF_UNSPEC
	if _, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4); errno != 0 {
		return fmt.Errorf("dissolving a socket's peer: %w", errno)
	}
	return nil
}

// rawConnect sets the peer of a UDP socket.
func rawConnect(fd int, peer netip.AddrPort, six bool) error {
	var to rawAddr
	to.set(peer, six)
	if _, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.sa)), uintptr(to.size)); errno != 0 {
		return fmt.Errorf("connecting to %v: %w", peer, errno)
	}
	return nil
}

// rawWay is a descriptor and an encoded address; the zero value is not ready. It
// is used under the lock of the relay that owns the socket, which is closed only
// by the worker, long after.
type rawWay struct {
	fd   int
	size uint32 // of the address; 0: the connected peer
	sa   unix.RawSockaddrInet6
}

// rawWayOf runs on the worker that reads the socket.
func rawWayOf(sock socket, to netip.AddrPort) (w rawWay) {
	s, ok := sock.(*epollSocket)
	if !ok {
		return w
	}
	w.fd = s.fd
	if !to.IsValid() {
		return w
	}
	if twin := s.follow(to); twin != nil {
		w.fd = twin.fd
		return w
	}
	a := s.address()
	a.set(to, s.six)
	w.sa, w.size = a.sa, a.size
	return w
}

func (w *rawWay) ready() bool { return w.fd > 0 }

func (w *rawWay) send(b []byte) error {
	var sa unsafe.Pointer
	if w.size != 0 {
		sa = unsafe.Pointer(&w.sa)
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(w.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(sa), uintptr(w.size))
	if errno != 0 {
		return errno
	}
	return nil
}
