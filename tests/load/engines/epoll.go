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
	flows   []flow
	o       options
	events  [wakeup]unix.EpollEvent
	packets [wakeup][2048]byte
	sizes   [wakeup]int
	from    unix.RawSockaddrInet6
	size    uint32
	out     segments
}

func (w *epollWorker) run() error {
	if w.o.wait != 1 {
		runtime.LockOSThread()
	}
	if w.o.wait == 2 {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	last := time.Now()
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
		var n int
		var err error
		if w.o.wait == 2 {
			r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(&w.events[0])), wakeup, 20, 0, 0)
			n = int(r)
			if errno != 0 {
				n = 0
				runtime.KeepAlive(w)
			}
		} else {
			if (w.o.wait == 1 || w.o.wait == 3) && time.Since(last) > 5*time.Millisecond {
				runtime.Gosched()
				last = time.Now()
			}
			n, err = unix.EpollWait(fd, w.events[:], -1)
		}
		if err != nil && err != unix.EINTR {
			return err
		}
		if w.o.staged {
			for i := range n {
				w.sizes[i] = w.receive(w.flows[w.events[i].Fd].in, w.packets[i][:])
			}
		}
		for i := range n {
			f := &w.flows[w.events[i].Fd]
			if !w.o.staged {
				w.sizes[i] = w.receive(f.in, w.packets[i][:])
			}
			if size := w.sizes[i]; size > 0 {
				w.pass(f, w.packets[i][:size])
			}
		}
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
