//go:build linux && (amd64 || arm64)

package forker

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newDriver gives the best driver of the platform.
func newDriver(workers int, portable bool, now func() int64) (driver, error) {
	if portable {
		return newNetDriver(now), nil
	}
	return newEpollDriver(workers, now)
}

// epollDriver reads raw sockets with a few workers, one epoll set each, which are
// started when they are needed (workload.go). All sockets of a relay belong to one worker, so that its lock is hardly ever
// contended and its packets keep their order across ports. The sockets towards
// the parties stay unconnected, for the kernel would else refuse strangers unseen
// and uncounted; once a flow has a lane a connected twin sends for them.
type epollDriver struct {
	placement
	now     func() int64
	workers []*epollWorker
}

func newEpollDriver(workers int, now func() int64) (*epollDriver, error) {
	d := &epollDriver{now: now}
	for range workers {
		w, err := newEpollWorker(now)
		if err != nil {
			return nil, errors.Join(err, d.stop())
		}
		w.load.waits(now())
		d.workers = append(d.workers, w)
		d.loads = append(d.loads, &w.load)
	}
	return d, nil
}

func (d *epollDriver) place() int { return d.placement.place(d.now()) }

func (d *epollDriver) bind(local netip.AddrPort, readBuffer, worker int) (socket, error) {
	w := d.workers[worker]
	w.start.Do(func() { go w.run() })
	fd, err := rawBind(local, readBuffer)
	if err != nil {
		return nil, err
	}
	return &epollSocket{fd: fd, worker: w, slot: -1, six: local.Addr().Is6(), wild: local.Addr().IsUnspecified()}, nil
}

// keeps: descriptors are for calls first; those at rest in up to four networks are fewer than what calls leave
// (b2bua.Config.Files), and where a call finds none they are closed.
func (d *epollDriver) keeps() int {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int(min(l.Cur/restFiles, restMost))
}

// unread asks for all sockets of the pair at once.
func (d *epollDriver) unread(pair *portPair) bool {
	var fds [4]unix.PollFd
	n := 0
	for _, s := range []socket{pair.rtp, pair.rtcp} {
		for s := s.(*epollSocket); s != nil; s = s.twin {
			fds[n] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
			n++
		}
	}
	return anyReady(fds[:n])
}

func (d *epollDriver) stop() error {
	for _, w := range d.workers {
		w.start.Do(func() { go w.run() }) // to close what it has
		w.post(func() { w.stopping = true })
	}
	for _, w := range d.workers {
		<-w.done
	}
	return nil
}

// epollWorker is one goroutine that waits for and handles the datagrams of its sockets.
type epollWorker struct {
	// set once
	epfd, wakefd int
	now          func() int64
	done         chan struct{}

	start sync.Once
	load  workload

	// guarded by mu
	mu       sync.Mutex
	sockets  []*epollSocket // by slot; nil: free
	vacant   []int32
	commands []func()
	stopped  bool

	// owned by run
	stopping bool
	round    uint64 // of waiting
	yielded  int64  // when Go's scheduler was last given a say
	thread   int    // that the worker was on then
	nice     int    // of that thread before
	buf      []byte
	events   [128]unix.EpollEvent
	ready    [128]*epollSocket
	from     rawSender
}

func newEpollWorker(now func() int64) (*epollWorker, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating an epoll set: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("creating an eventfd: %w", err), unix.Close(epfd))
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wake, &ev); err != nil {
		return nil, errors.Join(fmt.Errorf("watching an eventfd: %w", err), unix.Close(wake), unix.Close(epfd))
	}
	return &epollWorker{epfd: epfd, wakefd: wake, now: now, done: make(chan struct{})}, nil
}

// run is the worker: wait, resolve the events to sockets under one lock, read
// each socket a little, carry out commands. Sockets are closed by commands
// only, so a batch never meets a descriptor that means another socket by now.
func (w *epollWorker) run() {
	defer close(w.done)
	w.prefer()
	w.buf = make([]byte, maxDatagram)
	for !w.stopping {
		now := w.now()
		w.yield(now)
		w.load.waits(now)
		n, err := unix.EpollWait(w.epfd, w.events[:], -1)
		w.load.works(w.now())
		if err != nil {
			if err == unix.EINTR {
				continue
			}
			time.Sleep(time.Millisecond) // cannot happen with a valid set; never spin
			continue
		}
		w.round++
		woken := w.resolve(n)
		for i := range n {
			if s := w.ready[i]; s != nil {
				w.read(s)
				w.ready[i] = nil
			}
		}
		if woken {
			w.obey()
		}
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, w.thread, w.nice)
	w.shut()
}

// yieldEach is below the 10 ms after which Go's monitor thread holds a goroutine
// for stuck. It would then take the processor away at each wait, and watch for
// the next chance every 20 µs: at 50 calls a third of all CPU time (measured).
const yieldEach = int64(5 * time.Millisecond)

// yield lets the scheduler see that the worker does not hog its processor.
func (w *epollWorker) yield(now int64) {
	if now-w.yielded > yieldEach {
		w.yielded = now
		runtime.Gosched()
		w.prefer()
	}
}

// workerNice is the priority that workers ask for: media cannot wait, while the
// rest of the process still gets a third of a full machine.
const workerNice = -15

// prefer raises the priority of the thread that the worker is on, where the process
// may (CAP_SYS_NICE, or RLIMIT_NICE). The worker is not locked to its thread: a
// yield of a locked goroutine goes by way of another thread, which a full machine
// keeps waiting, and the worker with it. So the priority moves along.
func (w *epollWorker) prefer() {
	thread := unix.Gettid()
	if thread == w.thread {
		return
	}
	if w.thread != 0 {
		_ = unix.Setpriority(unix.PRIO_PROCESS, w.thread, w.nice)
	} else if nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		w.nice = 20 - nice // as the system call has it
	}
	w.thread = thread
	_ = unix.Setpriority(unix.PRIO_PROCESS, thread, min(workerNice, w.nice))
}

// resolve fills ready for the first n events.
func (w *epollWorker) resolve(n int) (woken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range n {
		slot := w.events[i].Fd
		if slot < 0 {
			woken = true
			continue
		}
		w.ready[i] = w.sockets[slot]
	}
	return woken
}

// read takes one datagram, or, from a socket that was ready the last time as
// well, a bounded burst. The set is level-triggered: what is left comes with
// the next wait, after everybody else's turn, and the usual single datagram
// does not cost a second read that finds nothing.
func (w *epollWorker) read(s *epollSocket) {
	limit := 1
	if s.round+1 == w.round {
		limit = burst
	}
	s.round = w.round
	if s.bond != nil && s.bond.elder != nil {
		w.catchUp(s)
	}
	for range limit {
		if !w.readOne(s) {
			return
		}
	}
}

// readOne reads and handles one datagram, if there is any.
func (w *epollWorker) readOne(s *epollSocket) bool {
	r := s.route.Load() // before it reads: what came before another route was attached does not go that way
	n, errno := w.from.receive(s.fd, w.buf)
	if errno != 0 {
		return false // EAGAIN, or an ICMP error that the read has cleared
	}
	r.handle(w.buf[:n], w.from.addr(), w.now())
	return true
}

// post has f run on the worker, and does not wait for it. It is dropped when
// the worker has stopped.
func (w *epollWorker) post(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	w.commands = append(w.commands, f)
	if len(w.commands) == 1 {
		signal(w.wakefd)
	}
}

// orders is how many commands are carried out between two looks at the sockets: the sockets of many calls are closed at
// once, at some 5 µs each, and datagrams do not wait for all of them.
const orders = 8

// obey carries some commands out. While more are left the eventfd stays ready.
func (w *epollWorker) obey() {
	w.mu.Lock()
	n := min(len(w.commands), orders)
	commands := w.commands[:n]
	if w.commands = w.commands[n:]; len(w.commands) == 0 {
		w.commands = nil
		var b [8]byte
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(w.wakefd), uintptr(unsafe.Pointer(&b)), unsafe.Sizeof(b)) // waits for nothing
	}
	w.mu.Unlock()
	for i, f := range commands {
		f()
		commands[i] = nil
	}
}

// shut closes everything the worker has left.
func (w *epollWorker) shut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	for _, s := range w.sockets {
		if s != nil {
			_ = shut(s.fd)
		}
	}
	w.sockets = nil
	_ = unix.Close(w.wakefd)
	_ = unix.Close(w.epfd)
}
