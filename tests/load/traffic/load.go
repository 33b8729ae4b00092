//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Direction of a call's media.
type Direction int

// AB is what the caller sends, BA what the callee sends.
const (
	AB Direction = iota
	BA
)

// Place is where packets arrive.
type Place int

// Far is the other party, Reports where the RTCP of the first recorder's copies goes, Recorder where its copies go; the
// next recorders follow.
const (
	Far Place = iota
	Reports
	Recorder
)

const (
	period    = 20 // ms between the packets of a stream
	batch     = 16 // packets of one system call of the sender
	readBatch = 128
	readEach  = 4 * time.Millisecond
	lead      = 2 * time.Millisecond // before an edge of the window, so that both threads know of it in time
)

// Config says how much traffic and from where.
type Config struct {
	Calls   int
	Host    netip.Addr // IPv4; everything binds here
	Port    int        // the first, even; 4*Sockets ports are used, and 4*Sockets for each recorder
	Sockets int        // of each role
	Copies  int        // of each call: the first recorder has the caller, then the callee, then the next recorder
	Reports bool       // sender reports of the first recorder's copies are read, too (clock.go)
}

// Recorders is how many recorders the copies go to.
func (c Config) Recorders() int { return (c.Copies + 1) / 2 }

// Copied tells whether that recorder is to have that direction.
func (c Config) Copied(recorder int, d Direction) bool { return 2*recorder+int(d) < c.Copies }

// Load is the media of Config.Calls calls.
type Load struct {
	cfg     Config
	streams []stream // call*2 + direction
	heard   [][]in   // by Place, then likewise
	slots   [period][][]*stream
	fds     [][2][]int // by Place; parties by whom they send as, recorders by direction
	late    Histogram
	delay   []Histogram // by Place

	from, to atomic.Int64 // of the window, in wall-clock nanoseconds; to 0: open
	stop     atomic.Bool
	running  sync.WaitGroup
	failures atomic.Uint64
	sent     atomic.Uint64 // packets so far

	clocks map[uint32]*clock // by SSRC of a copy; the reader's until Close
}

// stream is one direction of a call as it is sent.
type stream struct {
	to       atomic.Pointer[unix.RawSockaddrInet4] // nil: silent
	sent     atomic.Uint32                         // packets so far
	number   uint32
	inWindow uint32
	id       uint32
}

// New binds the sockets. Nothing is sent before Start.
func New(cfg Config) (*Load, error) {
	places := int(Recorder) + cfg.Recorders()
	l := &Load{
		cfg: cfg, streams: make([]stream, 2*cfg.Calls), clocks: map[uint32]*clock{},
		heard: make([][]in, places), fds: make([][2][]int, places), delay: make([]Histogram, places),
	}
	for p := range l.heard {
		l.heard[p] = make([]in, 2*cfg.Calls)
	}
	for p := range l.fds {
		if Place(p) == Reports && !cfg.Reports {
			continue
		}
		for d := range l.fds[p] {
			for i := range cfg.Sockets {
				fd, err := open(netip.AddrPortFrom(cfg.Host, uint16(cfg.port(Place(p), Direction(d), i))))
				if err != nil {
					return nil, errors.Join(err, l.closeSockets())
				}
				l.fds[p][d] = append(l.fds[p][d], fd)
			}
		}
	}
	for s := range l.slots {
		l.slots[s] = make([][]*stream, 2*cfg.Sockets)
	}
	for i := range l.streams {
		call, d := i/2, i%2
		l.streams[i].id = uint32(i)
		slot := (call/cfg.Sockets + d*period/2) % period // the directions are half a period apart
		sock := call%cfg.Sockets + d*cfg.Sockets
		l.slots[slot][sock] = append(l.slots[slot][sock], &l.streams[i])
	}
	l.running.Go(l.send)
	l.running.Go(l.receive)
	return l, nil
}

func (c Config) port(p Place, d Direction, i int) int {
	if p == Reports {
		return c.port(Recorder, d, i) + 1
	}
	role := 0
	if p >= Recorder {
		role = 1 + int(p-Recorder)
	}
	return c.Port + 2*((2*role+int(d))*c.Sockets+i)
}

// Party is the address of the one who sends in that direction.
func (c Config) Party(call int, d Direction) netip.AddrPort {
	return netip.AddrPortFrom(c.Host, uint16(c.port(Far, d, call%c.Sockets)))
}

// RecorderOf is where a recorder, the first being 0, expects the copy of a direction.
func (c Config) RecorderOf(recorder, call int, d Direction) netip.AddrPort {
	return netip.AddrPortFrom(c.Host, uint16(c.port(Recorder+Place(recorder), d, call%c.Sockets)))
}

// Start has a direction of a call sent to that address from now on.
func (l *Load) Start(call int, d Direction, to netip.AddrPort) {
	sa := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&sa.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	l.streams[2*call+int(d)].to.Store(sa)
}

// Silence stops a direction of a call.
func (l *Load) Silence(call int, d Direction) { l.streams[2*call+int(d)].to.Store(nil) }

// Missing is how many packets and copies of a call have been sent and are not where they were to go, lost or still on
// their way.
func (l *Load) Missing(call int) (n int) {
	for d := range 2 {
		id := 2*call + d
		sent := int(l.streams[id].sent.Load())
		n += sent - int(l.heard[Far][id].got.Load())
		for recorder := range l.cfg.Recorders() {
			if l.cfg.Copied(recorder, Direction(d)) {
				n += sent - int(l.heard[Recorder+Place(recorder)][id].got.Load())
			}
		}
	}
	return n
}

// Begin opens the window of measurement. It can be done once.
func (l *Load) Begin() { l.from.Store(time.Now().Add(lead).UnixNano()) }

// End closes it. What was sent in it is counted as it arrives, until Close.
func (l *Load) End() { l.to.Store(time.Now().Add(lead).UnixNano()) }

// Close ends the traffic; the Result is complete then.
func (l *Load) Close() error {
	l.stop.Store(true)
	l.running.Wait()
	return l.closeSockets()
}

func (l *Load) closeSockets() (err error) {
	for _, byDirection := range l.fds {
		for _, fds := range byDirection {
			for _, fd := range fds {
				err = errors.Join(err, unix.Close(fd))
			}
		}
	}
	return err
}

func open(at netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	const size = 32 << 20
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil { // without privilege: as much as there is
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, size),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}))
	if err != nil {
		return -1, errors.Join(fmt.Errorf("binding %v: %w", at, err), unix.Close(fd))
	}
	return fd, nil
}

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	n      uint32
	_      [4]byte
}

func (l *Load) window(at int64) bool {
	from, to := l.from.Load(), l.to.Load()
	return from != 0 && at >= from && (to == 0 || at < to)
}

// send is the sender's thread.
func (l *Load) send() {
	runtime.LockOSThread()
	out := newSender(l)
	start := monotonic()
	for tick := int64(0); !l.stop.Load(); tick++ {
		due := start + tick*int64(time.Millisecond)
		if monotonic() < due {
			at := unix.NsecToTimespec(due)
			for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil) == unix.EINTR {
			}
		}
		if l.window(time.Now().UnixNano()) {
			l.late.Add(monotonic() - due)
		}
		for sock, streams := range l.slots[tick%period] {
			fd := l.fds[Far][sock/l.cfg.Sockets][sock%l.cfg.Sockets]
			for len(streams) > 0 {
				n := min(len(streams), batch)
				out.send(fd, streams[:n])
				streams = streams[n:]
			}
		}
	}
}

func monotonic() int64 {
	var at unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &at)
	return at.Nano()
}
