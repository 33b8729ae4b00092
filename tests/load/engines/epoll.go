//go:build linux && (amd64 || arm64)

package main

import (
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const wakeup = 128 // events of one wait

// epoll is a few workers, one epoll set each, on raw sockets.
func epoll(flows []flow, o options) error {
	if o.connected {
		if err := connectAll(flows); err != nil {
			return err
		}
	}
	errs := make(chan error)
	share := (len(flows)/2 + o.workers - 1) / o.workers * 2
	for n := 0; n < len(flows); n += share {
		w := &epollWorker{flows: flows[n:min(n+share, len(flows))], o: o}
		go func() { errs <- w.run() }()
	}
	ready()
	return <-errs
}

type epollWorker struct {
	flows  []flow
	o      options
	events [wakeup]unix.EpollEvent
	packet [2048]byte
	yield  yielder
	from   unix.RawSockaddrInet6
	size   uint32
	out    segments
}

func (w *epollWorker) run() error {
	runtime.LockOSThread()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	for i := range w.flows {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, w.flows[i].in, &ev); err != nil {
			return err
		}
	}
	for {
		if !w.o.hogs {
			w.yield.now()
		}
		n, err := unix.EpollWait(fd, w.events[:], -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for i := range n {
			f := &w.flows[w.events[i].Fd]
			if size := w.receive(f.in, w.packet[:]); size > 0 {
				w.pass(f, w.packet[:size])
			}
		}
	}
}

// yielder lets Go's scheduler see that a goroutine does not hog its processor.
// One that never does has it taken away at each system call that may wait.
type yielder struct{ last time.Time }

func (y *yielder) now() {
	if time.Since(y.last) > 5*time.Millisecond {
		runtime.Gosched()
		y.last = time.Now()
	}
}

func (w *epollWorker) receive(fd int, b []byte) int {
	w.size = unix.SizeofSockaddrInet6
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&w.from)), uintptr(unsafe.Pointer(&w.size)))
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (w *epollWorker) pass(f *flow, b []byte) {
	w.send(f.out, b, &f.to)
	number(b)
	switch {
	case w.o.segments == 0:
		w.send(f.tap, b, &f.copyTo)
	case f.collect(b, w.o.segments):
		w.out.send(f.tap, f.batch, len(b))
		f.batch, f.n = f.batch[:0], 0
	}
}

func (w *epollWorker) send(fd int, b []byte, to *unix.RawSockaddrInet4) {
	var name, size uintptr
	if !w.o.connected {
		name, size = uintptr(unsafe.Pointer(to)), unix.SizeofSockaddrInet4
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, name, size)
}

// segments holds the arguments of a send that the kernel cuts (UDP_SEGMENT).
type segments struct {
	header  unix.Msghdr
	vector  unix.Iovec
	control [3]uint64
}

func (s *segments) fill(b []byte, size int) *unix.Msghdr {
	s.vector.Base = &b[0]
	s.vector.SetLen(len(b))
	c := (*unix.Cmsghdr)(unsafe.Pointer(&s.control))
	c.Level, c.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	c.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&s.control[2])) = uint16(size)
	s.header = unix.Msghdr{Iov: &s.vector, Iovlen: 1, Control: (*byte)(unsafe.Pointer(&s.control))}
	s.header.SetControllen(unix.CmsgSpace(2))
	return &s.header
}

func (s *segments) send(fd int, b []byte, size int) {
	_, _, _ = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(s.fill(b, size))), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}
