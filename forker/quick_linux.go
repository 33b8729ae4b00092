//go:build linux && (amd64 || arm64)

package forker

import (
	"errors"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls that open, set and close a socket wait for nothing either. Each of them told to Go's scheduler
// wakes its monitor thread, which then looks every 20 µs for what has been waiting too long, for milliseconds: a fifth
// of the CPU time of calls that come and go (measured).

// option sets an integer option of a socket.
func option(fd, level, name, value int) error {
	v := int32(value)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(unsafe.Pointer(&v)), unsafe.Sizeof(v), 0)
	if errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	return nil
}

// bindTo binds a socket.
func bindTo(fd int, local netip.AddrPort, six bool) error {
	var a rawAddr
	a.set(local, six)
	if _, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&a.sa)), uintptr(a.size)); errno != 0 {
		return os.NewSyscallError("bind", errno)
	}
	return nil
}

// shut closes a descriptor.
func shut(fd int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0); errno != 0 {
		return os.NewSyscallError("close", errno)
	}
	return nil
}

// anyReady tells whether one of them can be read or has an error, and waits for none.
func anyReady(fds []unix.PollFd) bool {
	var atOnce unix.Timespec
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(&atOnce)), 0, 0, 0)
	return n != 0 || errno != 0
}

// signal adds one to an eventfd. It only fails when a wake-up is pending already.
func signal(fd int) {
	one := [8]byte{1}
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// rawName gives the address that a socket is bound to.
func rawName(fd int) (netip.AddrPort, error) {
	name, err := unix.Getsockname(fd) // the scheduler is not told
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)), nil
	}
	return netip.AddrPort{}, errors.Join(err, errors.ErrUnsupported)
}
