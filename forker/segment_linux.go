//go:build linux && (amd64 || arm64)

package forker

import (
	"errors"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segmenter sends a buffer that the kernel cuts into datagrams (udp(7),
// UDP_SEGMENT). It holds the arguments of the system call, so that nothing is
// allocated.
type segmenter struct {
	header  unix.Msghdr
	vector  unix.Iovec
	control [3]uint64 // one cmsghdr and a uint16, aligned
}

// send sends b to the connected peer or to the address given.
func (s *segmenter) send(fd int, b []byte, size int, to *rawAddr) syscall.Errno {
	s.vector.Base = unsafe.SliceData(b)
	s.vector.SetLen(len(b))
	s.header = unix.Msghdr{Iov: &s.vector, Iovlen: 1}
	if to != nil {
		s.header.Name, s.header.Namelen = (*byte)(unsafe.Pointer(&to.sa)), to.size
	}
	if len(b) > size {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&s.control))
		c.Level, c.Type = unix.SOL_UDP, unix.UDP_SEGMENT
		c.SetLen(unix.CmsgLen(2))
		*(*uint16)(unsafe.Pointer(&s.control[2])) = uint16(size)
		s.header.Control = (*byte)(unsafe.Pointer(&s.control))
		s.header.SetControllen(unix.CmsgSpace(2))
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.header)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	s.vector.Base = nil
	return errno
}

// segments tells whether the kernel cuts sends (Linux 4.18 and later).
func (d *epollDriver) segments() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, adaptiveBatch)
	return errors.Join(err, unix.Close(fd)) == nil
}

func (s *epollSocket) sendSegments(b []byte, size int, to netip.AddrPort) error {
	if s.cut == nil {
		s.cut = &segmenter{}
	}
	var addr *rawAddr
	if to.IsValid() {
		addr = s.address()
		addr.set(to, s.six)
	}
	if errno := s.cut.send(s.fd, b, size, addr); errno != 0 {
		return errno
	}
	return nil
}

// refusesSegments tells an error that is about the segments: the way has a
// small MTU (EINVAL, EMSGSIZE), or a device that cannot compute checksums (EIO).
func refusesSegments(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EIO) || errors.Is(err, unix.EOPNOTSUPP)
}
