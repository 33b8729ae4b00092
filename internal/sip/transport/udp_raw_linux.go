package transport

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls here go to the kernel without telling Go's scheduler: none of
// them waits, and the notice has another thread woken for nothing.

// burst is how many datagrams one system call reads at most. The first ones make do with less room:
// it doubles when as many have come at once.
const (
	burst      = 8
	firstBurst = 2
)

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	hdr  unix.Msghdr
	size uint32
	_    [4]byte
}

// reader is where the datagrams of a burst are read to.
type reader struct {
	headers [burst]mmsghdr
	parts   [burst]unix.Iovec
	from    [burst]unix.RawSockaddrInet6 // the larger; an IPv4 address is laid over it
	buffers [burst]*[maxDatagram]byte    // the first size ones
	size    int

	control func(fd uintptr)
	n       int // what control has read
	errno   unix.Errno
}

func newReader() *reader {
	r := &reader{}
	r.control = r.receive
	r.grow(firstBurst)
	return r
}

// grow makes room for more datagrams.
func (r *reader) grow(size int) {
	for ; r.size < size; r.size++ {
		i := r.size
		r.buffers[i] = new([maxDatagram]byte)
		r.parts[i].Base = &r.buffers[i][0]
		r.parts[i].SetLen(maxDatagram)
		h := &r.headers[i].hdr
		h.Iov = &r.parts[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.from[i]))
	}
}

// receive reads what has arrived, up to a burst, without waiting.
func (r *reader) receive(fd uintptr) {
	for i := range r.size {
		r.headers[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.headers)), uintptr(r.size), unix.MSG_DONTWAIT, 0, 0)
	r.n, r.errno = int(n), errno
}

// datagram is the i-th of a burst.
func (r *reader) datagram(i int) ([]byte, netip.AddrPort) {
	sa := &r.from[i]
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:])
	addr := netip.AddrFrom16(sa.Addr)
	switch {
	case sa.Family == unix.AF_INET:
		addr = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	case sa.Scope_id != 0:
		addr = addr.WithZone(strconv.Itoa(int(sa.Scope_id)))
	}
	return r.buffers[i][:r.headers[i].size], netip.AddrPortFrom(addr, port)
}

// settle takes the socket out of Go's poller, which watches it for room to write
// as well and is told so after each datagram that leaves: a thread woken for
// nothing with every message. Instead the poller watches an epoll set whose only
// member is the socket, and only for reading. The closer has both closed.
func (u *udpSocket) settle() (io.Closer, error) {
	var fd int
	var err error
	if outer := u.raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); outer != nil || err != nil {
		return nil, errors.Join(outer, err)
	}
	// Blocking, so that os.NewFile leaves it alone; each call here says MSG_DONTWAIT.
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	socket := os.NewFile(uintptr(fd), u.listener.URL)
	set, err := watch(fd)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	both := closers{set, socket}
	if u.gate, err = set.SyscallConn(); err != nil {
		return nil, errors.Join(err, both.Close())
	}
	if u.raw, err = socket.SyscallConn(); err != nil {
		return nil, errors.Join(err, both.Close())
	}
	_ = u.pc.Close() // the copy keeps the socket
	u.pc = nil
	return both, nil
}

// watch makes an epoll set of one socket that Go's poller can wait for.
func watch(fd int) (*os.File, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN}
	if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return nil, errors.Join(os.NewSyscallError("epoll_ctl", err), unix.Close(set))
	}
	if err := unix.SetNonblock(set, true); err != nil { // what os.NewFile goes by
		return nil, errors.Join(err, unix.Close(set))
	}
	return os.NewFile(uintptr(set), "epoll"), nil
}

// closers are closed together, in order.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// readLoop ends only with the socket.
func (u *udpSocket) readLoop() {
	defer u.layer.wg.Done()
	r := newReader()
	pause := time.Duration(0)
	for {
		var failure unix.Errno
		closed := u.gate.Read(func(uintptr) bool {
			for {
				switch errno := u.receive(r); errno {
				case 0:
					pause = 0
					if size := r.size; u.take(r) < size {
						return false // that was all: what comes now is told anew
					}
				case unix.EINTR:
				case unix.EAGAIN:
					return false // until there is more to read
				default:
					failure = errno
					return true
				}
			}
		})
		if closed != nil {
			return
		}
		pause = u.failed(pause, failure)
	}
}

// receive reads a burst from the socket; EBADF once that is closed.
func (u *udpSocket) receive(r *reader) unix.Errno {
	if u.raw.Control(r.control) != nil {
		return unix.EBADF
	}
	return r.errno
}

// take handles the datagrams of a burst, and tells how many there were.
func (u *udpSocket) take(r *reader) (n int) {
	n = r.n
	for i := range n {
		b, from := r.datagram(i)
		u.handle(b, from, i < n-1)
	}
	if n == r.size {
		r.grow(min(2*n, burst))
	}
	return n
}

// sending is a datagram on its way to the kernel; kept for the next one.
type sending struct {
	control func(fd uintptr)
	b       []byte
	to      unix.RawSockaddrInet6
	size    uintptr
	errno   unix.Errno
}

var sendings = sync.Pool{New: func() any {
	s := &sending{}
	s.control = func(fd uintptr) {
		_, _, s.errno = unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(s.b))), uintptr(len(s.b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&s.to)), s.size)
	}
	return s
}}

// aim sets the address. An IPv4 one is for a socket of that family: ours take one each.
func (s *sending) aim(to netip.AddrPort) {
	s.to = unix.RawSockaddrInet6{}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&s.to.Port))[:], to.Port())
	if a := to.Addr().Unmap(); a.Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.to))
		four.Family, four.Addr, s.size = unix.AF_INET, a.As4(), unix.SizeofSockaddrInet4
		return
	}
	s.to.Family, s.to.Addr, s.size = unix.AF_INET6, to.Addr().As16(), unix.SizeofSockaddrInet6
	if zone := to.Addr().Zone(); zone != "" {
		s.to.Scope_id = scope(zone)
	}
}

// scope is the number of a zone: what came in has it as it is, a name is one of
// the configuration. 0, which no link has, for one that is not there.
func scope(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	link, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(link.Index)
}

// send writes one datagram without waiting. With IP_RECVERR the kernel reports
// an earlier datagram's ICMP error on the next call, whatever its destination:
// such an error is fetched and the send repeated.
func (u *udpSocket) send(to netip.AddrPort, b []byte) error {
	s := sendings.Get().(*sending)
	defer sendings.Put(s)
	s.aim(to)
	s.b = b
	defer func() { s.b = nil }()
	for range 4 {
		if err := u.raw.Control(s.control); err != nil {
			return err
		}
		switch s.errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		case unix.EAGAIN, unix.ENOBUFS:
			u.layer.reject(rejectSendFull) // as if lost on the way
			return nil
		}
		u.drainErrors()
	}
	return s.errno
}
