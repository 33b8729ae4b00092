//go:build linux && (amd64 || arm64)

package main

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sidetrack/tests/load/traffic"
)

// flow is one direction of a call.
type flow struct {
	in, out, tap       int // descriptors
	to, copyTo         unix.RawSockaddrInet4
	toAddr, copyToAddr netip.AddrPort

	batch []byte // of copies
	n     int
}

func bindFlows(n int) ([]flow, error) {
	plan := plan(n)
	flows := make([]flow, 0, 2*n)
	for call := range n {
		var fds [4]int
		for i := range fds {
			fd, err := bind(local(call, i))
			for tries := 0; err == unix.EADDRINUSE && tries < 100; tries++ {
				time.Sleep(50 * time.Millisecond) // an io_uring of the candidate before lets its sockets go late
				fd, err = bind(local(call, i))
			}
			if err != nil {
				return nil, err
			}
			fds[i] = fd
		}
		for d := range traffic.Direction(2) {
			to, copyTo := plan.Party(call, 1-d), plan.RecorderOf(0, call, d)
			flows = append(flows, flow{in: fds[d], out: fds[1-d], tap: fds[2+d],
				to: raw(to), copyTo: raw(copyTo), toAddr: to, copyToAddr: copyTo})
		}
	}
	return flows, nil
}

func bind(at netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10); err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func raw(a netip.AddrPort) unix.RawSockaddrInet4 {
	sa := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: a.Addr().As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:], a.Port())
	return sa
}

func connect(fd int, to *unix.RawSockaddrInet4) error {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(to)), unix.SizeofSockaddrInet4)
	if errno != 0 {
		return errno
	}
	return nil
}

// connectAll gives every socket its peer: those of the parties, too, which then
// hear nobody else.
func connectAll(flows []flow) error {
	for i := range flows {
		f := &flows[i]
		if err := connect(f.out, &f.to); err != nil {
			return err
		}
		if err := connect(f.tap, &f.copyTo); err != nil {
			return err
		}
	}
	return nil
}

// number makes a copy of the packet: another source's header.
func number(b []byte) { binary.BigEndian.PutUint32(b[8:], 0x2000000) }

// options are what candidates differ in.
type options struct {
	workers   int
	connected bool
	hogs      bool // never yields to Go's scheduler
	segments  int  // copies that leave as one send
	direct    bool // io_uring only receives
}

// collect adds a copy to the flow's batch and tells when it is to leave.
func (f *flow) collect(b []byte, limit int) bool {
	f.batch = append(f.batch, b...)
	f.n++
	return f.n >= limit
}
