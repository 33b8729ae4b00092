//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What of io_uring(7) is used here; names as in linux/io_uring.h.
const (
	setupCQSize, setupSubmitAll, setupSingleIssuer, setupDeferTaskrun = 1 << 3, 1 << 7, 1 << 12, 1 << 13
	offSQ, offSQEs                                                    = 0, 0x10000000
	enterGetEvents                                                    = 1
	opSendmsg, opRecvmsg, opSend                                      = 9, 10, 26
	sqeFixedFile, sqeBufferSelect, sqeSkipSuccess                     = 1, 1 << 5, 1 << 6
	recvMultishot                                                     = 1 << 1
	cqeBuffer, cqeMore                                                = 1, 1 << 1
	registerFiles, registerBufferRing                                 = 2, 22

	ringSize, completions = 1024, 8192
	buffers, bufferSize   = 2048, 2048
	outHeader             = 16 // struct io_uring_recvmsg_out
)

type ringParams struct {
	sqEntries, cqEntries, flags, cpu, idle, features, wq uint32
	_                                                    [3]uint32
	sq                                                   struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		addr                                                uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		addr                                                uint64
	}
}

type sqe struct {
	op, flags uint8
	prio      uint16
	fd        int32
	off       uint64
	addr      uint64
	size      uint32
	opFlags   uint32
	data      uint64
	group     uint16
	_         uint16
	_         int32
	_         [2]uint64
}

type cqe struct {
	data  uint64
	res   int32
	flags uint32
}

type ring struct {
	fd       int
	sqHead   *uint32
	sqTail   *uint32
	cqHead   *uint32
	cqTail   *uint32
	sqMask   uint32
	cqMask   uint32
	sqes     []sqe
	cqes     []cqe
	pending  uint32
	bufs     []byte
	bufRing  []bufferEntry
	bufTail  uint16
	returned []uint16 // buffers to give back after the sends from them
	copies   [ringSize][bufferSize]byte
	nCopies  int
	recv     unix.Msghdr
	segs     [ringSize]segments
}

type bufferEntry struct {
	addr uint64
	size uint32
	id   uint16
	tail uint16 // of the first entry: the ring's
}

func newRing() (*ring, error) {
	var p ringParams
	p.flags = setupCQSize | setupSubmitAll | setupSingleIssuer | setupDeferTaskrun
	p.cqEntries = completions
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, ringSize, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	r := &ring{fd: int(fd)}
	size := max(int(p.sq.array+p.sqEntries*4), int(p.cq.cqes+p.cqEntries*16))
	m, err := unix.Mmap(r.fd, offSQ, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	e, err := unix.Mmap(r.fd, offSQEs, int(p.sqEntries)*64, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	at := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&m[off])) }
	r.sqHead, r.sqTail, r.cqHead, r.cqTail = at(p.sq.head), at(p.sq.tail), at(p.cq.head), at(p.cq.tail)
	r.sqMask, r.cqMask = *at(p.sq.mask), *at(p.cq.mask)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&e[0])), p.sqEntries)
	r.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&m[p.cq.cqes])), p.cqEntries)
	array := unsafe.Slice(at(p.sq.array), p.sqEntries)
	for i := range array {
		array[i] = uint32(i)
	}
	return r, r.provide()
}

func (r *ring) register(op uintptr, arg unsafe.Pointer, n uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.fd), op, uintptr(arg), n, 0, 0)
	if errno != 0 {
		return fmt.Errorf("io_uring_register %d: %w", op, errno)
	}
	return nil
}

// provide gives the kernel buffers to receive into.
func (r *ring) provide() error {
	mem, err := unix.Mmap(-1, 0, buffers*(bufferSize+16), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return err
	}
	r.bufRing = unsafe.Slice((*bufferEntry)(unsafe.Pointer(&mem[0])), buffers)
	r.bufs = mem[buffers*16:]
	reg := struct {
		addr    uint64
		entries uint32
		group   uint16
		flags   uint16
		_       [3]uint64
	}{addr: uint64(uintptr(unsafe.Pointer(&mem[0]))), entries: buffers}
	if err := r.register(registerBufferRing, unsafe.Pointer(&reg), 1); err != nil {
		return err
	}
	for i := range uint16(buffers) {
		r.giveBack(i)
	}
	r.publish()
	return nil
}

func (r *ring) buffer(id uint16) []byte { return r.bufs[int(id)*bufferSize:][:bufferSize] }

func (r *ring) giveBack(id uint16) {
	e := &r.bufRing[r.bufTail&(buffers-1)]
	e.addr, e.size, e.id = uint64(uintptr(unsafe.Pointer(&r.buffer(id)[0]))), bufferSize, id
	r.bufTail++
}

func (r *ring) publish() {
	// The tail shares a 32-bit word with the id of the first entry.
	word := (*uint32)(unsafe.Pointer(&r.bufRing[0].id))
	atomic.StoreUint32(word, uint32(r.bufTail)<<16|uint32(r.bufRing[0].id))
}

// next gives an empty entry, submitting first when there is none.
func (r *ring) next() *sqe {
	if r.pending == ringSize {
		r.enter(0, false)
	}
	e := &r.sqes[(*r.sqTail+r.pending)&r.sqMask]
	*e = sqe{}
	r.pending++
	return e
}

// enter submits and, with wait, returns when a completion is there. Sends of
// datagrams are over when it returns.
func (r *ring) enter(flags uintptr, wait bool) syscall.Errno {
	atomic.StoreUint32(r.sqTail, *r.sqTail+r.pending)
	n := uintptr(r.pending)
	r.pending, r.nCopies = 0, 0
	var errno syscall.Errno
	if wait {
		_, _, errno = unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), n, 1, enterGetEvents, 0, 0)
	} else {
		_, _, errno = unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), n, 0, flags, 0, 0)
	}
	for _, id := range r.returned {
		r.giveBack(id)
	}
	r.returned = r.returned[:0]
	r.publish()
	return errno
}

func (r *ring) arm(i int) {
	e := r.next()
	e.op, e.flags, e.prio, e.fd = opRecvmsg, sqeFixedFile|sqeBufferSelect, recvMultishot, int32(3*i)
	e.addr, e.size = uint64(uintptr(unsafe.Pointer(&r.recv))), 1
	e.data = uint64(i)
}

func (r *ring) send(file int, b []byte) {
	e := r.next()
	e.op, e.flags, e.fd = opSend, sqeFixedFile|sqeSkipSuccess, int32(file)
	e.addr, e.size = uint64(uintptr(unsafe.Pointer(&b[0]))), uint32(len(b))
	e.opFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
	e.data = 1 << 32
}

// uring receives with one multishot request a socket and sends everything that
// a wake-up brought with one system call.
func uring(flows []flow, o options) error {
	runtime.LockOSThread()
	var yield yielder
	if err := connectAll(flows); err != nil {
		return err
	}
	r, err := newRing()
	if err != nil {
		return err
	}
	var files []int32
	for _, f := range flows {
		files = append(files, int32(f.in), int32(f.out), int32(f.tap))
	}
	if err := r.register(registerFiles, unsafe.Pointer(&files[0]), uintptr(len(files))); err != nil {
		return err
	}
	r.recv.Namelen = unix.SizeofSockaddrInet6
	for i := range flows {
		r.arm(i)
	}
	ready()
	for {
		errno := r.enter(enterGetEvents, false)
		head := *r.cqHead
		if atomic.LoadUint32(r.cqTail) == head {
			yield.now()
			errno = r.enter(enterGetEvents, true)
		}
		if errno != 0 && errno != unix.EINTR && errno != unix.EAGAIN && errno != unix.EBUSY {
			return errno
		}
		for tail := atomic.LoadUint32(r.cqTail); head != tail; head++ {
			c := r.cqes[head&r.cqMask]
			r.completed(flows, o, c)
		}
		atomic.StoreUint32(r.cqHead, head)
	}
}

func (r *ring) completed(flows []flow, o options, c cqe) {
	if c.data >= uint64(len(flows)) {
		return // a send that failed
	}
	i := int(c.data)
	if c.flags&cqeBuffer != 0 {
		id := uint16(c.flags >> 16)
		if c.res > outHeader+unix.SizeofSockaddrInet6 {
			r.pass(i, &flows[i], o, r.buffer(id)[outHeader+unix.SizeofSockaddrInet6:c.res])
		}
		r.returned = append(r.returned, id)
	}
	if c.flags&cqeMore == 0 {
		r.arm(i)
	}
}

func (r *ring) pass(i int, f *flow, o options, b []byte) {
	if o.direct {
		r.passDirect(f, o, b)
		return
	}
	r.send(3*i+1, b)
	if r.nCopies >= ringSize {
		r.enter(0, false)
	}
	switch {
	case o.segments == 0:
		out := r.copies[r.nCopies][:len(b)]
		r.nCopies++
		copy(out, b)
		number(out)
		r.send(3*i+2, out)
	case f.collect(b, o.segments):
		out, seg := r.copies[r.nCopies][:len(f.batch)], &r.segs[r.nCopies]
		r.nCopies++
		copy(out, f.batch)
		f.batch, f.n = f.batch[:0], 0
		e := r.next()
		e.op, e.flags, e.fd = opSendmsg, sqeFixedFile|sqeSkipSuccess, int32(3*i+2)
		e.addr, e.size = uint64(uintptr(unsafe.Pointer(seg.fill(out, len(b))))), 1
		e.opFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL
		e.data = 1 << 32
	}
}

// passDirect sends with system calls of their own: nothing is under way when it
// returns, and errors are known.
func (r *ring) passDirect(f *flow, o options, b []byte) {
	direct(f.out, b)
	number(b)
	switch {
	case o.segments == 0:
		direct(f.tap, b)
	case f.collect(b, o.segments):
		r.segs[0].send(f.tap, f.batch, len(b))
		f.batch, f.n = f.batch[:0], 0
	}
}

func direct(fd int, b []byte) {
	_, _, _ = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
}
