//go:build linux

package traffic

import (
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	rtpHeader  = 12
	packetSize = rtpHeader + 160
	magic      = 0x73696465
)

// What a packet carries behind its header.
const (
	atMagic  = rtpHeader
	atID     = rtpHeader + 4
	atNumber = rtpHeader + 8
	atSent   = rtpHeader + 12
	atAudio  = rtpHeader + 20
)

// sender builds and sends up to a batch of packets at a time.
type sender struct {
	load     *Load
	packets  [batch][packetSize]byte
	vectors  [batch]unix.Iovec
	messages [batch]message
}

func newSender(l *Load) *sender {
	s := &sender{load: l}
	for i := range s.packets {
		b := s.packets[i][:]
		b[0] = 0x80 // version 2, PCMU
		binary.BigEndian.PutUint32(b[atMagic:], magic)
		for k := atAudio; k < packetSize; k++ {
			b[k] = 0xff // silence
		}
		s.vectors[i].Base = &b[0]
		s.vectors[i].SetLen(packetSize)
		h := &s.messages[i].header
		h.Iov, h.Iovlen, h.Namelen = &s.vectors[i], 1, unix.SizeofSockaddrInet4
	}
	return s
}

// send sends the next packet of each stream that is not silent.
func (s *sender) send(fd int, streams []*stream) {
	n, now := 0, time.Now().UnixNano()
	counts := s.load.window(now)
	for _, st := range streams {
		to := st.to.Load()
		if to == nil {
			continue
		}
		b := s.packets[n][:]
		binary.BigEndian.PutUint16(b[2:], uint16(st.number))
		binary.BigEndian.PutUint32(b[4:], st.number*160)
		binary.BigEndian.PutUint32(b[8:], 0x1000000|st.id)
		binary.BigEndian.PutUint32(b[atID:], st.id)
		binary.BigEndian.PutUint32(b[atNumber:], st.number)
		binary.BigEndian.PutUint64(b[atSent:], uint64(now))
		s.messages[n].header.Name = (*byte)(unsafe.Pointer(to))
		st.number++
		st.sent.Store(st.number)
		if counts {
			st.inWindow++
		}
		n++
	}
	s.load.sent.Add(uint64(n))
	for left := s.messages[:n]; len(left) > 0; {
		sent, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&left[0])), uintptr(len(left)), 0, 0, 0)
		switch errno {
		case 0:
			left = left[sent:]
		case unix.EINTR:
		default: // perhaps ICMP for an earlier packet
			s.load.failures.Add(1)
			left = left[1:]
		}
	}
}

// in is what has arrived of a stream at one place.
type in struct {
	seen       []uint64      // by number
	inWindow   uint32        // sent in the window; each number once
	got        atomic.Uint32 // the same, whenever it was sent
	duplicates uint32
	misplaced  uint32 // on a socket of the other direction
	clock      *clock // of the newest copy
}

// receive is the reader's thread: it wakes every few milliseconds and empties
// all sockets.
func (l *Load) receive() {
	runtime.LockOSThread()
	r := newReceiver(l)
	for {
		last := l.stop.Load()
		for p := range l.fds {
			for d, fds := range l.fds[p] {
				for _, fd := range fds {
					r.empty(fd, Place(p), Direction(d))
				}
			}
		}
		if last {
			return
		}
		wait := unix.NsecToTimespec(int64(readEach))
		_ = unix.Nanosleep(&wait, nil)
	}
}

type receiver struct {
	load     *Load
	packets  [readBatch][2048]byte
	control  [readBatch][64]byte
	vectors  [readBatch]unix.Iovec
	messages [readBatch]message
}

func newReceiver(l *Load) *receiver {
	r := &receiver{load: l}
	for i := range r.messages {
		r.vectors[i].Base = &r.packets[i][0]
		r.vectors[i].SetLen(len(r.packets[i]))
		h := &r.messages[i].header
		h.Iov, h.Iovlen, h.Control = &r.vectors[i], 1, &r.control[i][0]
	}
	return r
}

func (r *receiver) empty(fd int, p Place, d Direction) {
	for n := readBatch; n == readBatch; {
		for i := range r.messages {
			r.messages[i].header.SetControllen(len(r.control[i]))
		}
		got, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.messages[0])), readBatch, unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 {
			return
		}
		n = int(got)
		for i := range n {
			r.load.arrived(p, d, r.packets[i][:r.messages[i].n], r.control[i][:])
		}
	}
}

// arrived takes a packet that came on a socket of place p. A party's socket is
// known by the direction it sends in; it hears the other one.
func (l *Load) arrived(p Place, d Direction, b, control []byte) {
	if p == Reports {
		l.reported(b)
		return
	}
	if len(b) != packetSize || binary.BigEndian.Uint32(b[atMagic:]) != magic {
		return // RTCP
	}
	id, number := binary.BigEndian.Uint32(b[atID:]), binary.BigEndian.Uint32(b[atNumber:])
	sent := int64(binary.BigEndian.Uint64(b[atSent:]))
	if int(id) >= len(l.streams) {
		return
	}
	s := &l.heard[p][id]
	if expected := Direction(id % 2); p == Far && d == expected || p >= Recorder && d != expected {
		s.misplaced++
		return
	}
	if p == Recorder && l.cfg.Reports {
		l.copied(s, id, number, sent, b)
	}
	word := int(number / 64)
	for word >= len(s.seen) {
		s.seen = append(s.seen, make([]uint64, 32)...)
	}
	inWindow, bit := l.window(sent), uint64(1)<<(number%64)
	if s.seen[word]&bit != 0 {
		if inWindow {
			s.duplicates++
		}
		return
	}
	s.seen[word] |= bit
	s.got.Add(1)
	if !inWindow {
		return
	}
	s.inWindow++
	at := int64(binary.NativeEndian.Uint64(control[16:]))*1e9 + int64(binary.NativeEndian.Uint64(control[24:])) // cmsghdr, timespec
	l.delay[p].Add(at - sent)
}
