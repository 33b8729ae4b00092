//go:build linux && (amd64 || arm64)

package forker

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

var _ socket = (*epollSocket)(nil)

// epollSocket is a raw UDP socket of a worker.
type epollSocket struct {
	fd     int
	route  atomic.Pointer[route]
	round  uint64 // in which it was ready last; the worker's
	worker *epollWorker
	slot   int32    // in the worker's table; -1: not read
	six    bool     // AF_INET6
	wild   bool     // bound to no address of its own
	single bool     // there is to be no twin
	to     *rawAddr // scratch of send, made on first use, guarded by the relay's mutex

	cut *segmenter // scratch of sendSegments, made on first use, guarded likewise

	twin *epollSocket // connected to the party (twin_linux.go); guarded likewise, as single
	bond *bond        // nil: it is no twin
}

func (s *epollSocket) attach(r *route) error {
	s.route.Store(r)
	if s.twin != nil {
		s.twin.route.Store(r)
	}
	if s.slot >= 0 {
		return nil
	}
	w := s.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return ErrClosed
	}
	slot := int32(len(w.sockets))
	if n := len(w.vacant); n > 0 {
		slot, w.vacant = w.vacant[n-1], w.vacant[:n-1]
		w.sockets[slot] = s
	} else {
		w.sockets = append(w.sockets, s)
	}
	s.slot = slot
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: slot}
	if err := unix.EpollCtl(w.epfd, unix.EPOLL_CTL_ADD, s.fd, &ev); err != nil {
		w.sockets[slot], s.slot = nil, -1
		w.vacant = append(w.vacant, slot)
		return fmt.Errorf("watching a socket: %w", err)
	}
	return nil
}

func (s *epollSocket) mark(dscp int) error { return markFD(s.fd, s.six, dscp<<2) }

// markFD sets the traffic class of what a socket sends. What an IPv6 one sends to IPv4 has that of IPv4.
func markFD(fd int, six bool, class int) error {
	err := option(fd, unix.IPPROTO_IP, unix.IP_TOS, class)
	if six {
		err = errors.Join(err, option(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, class))
	}
	return err
}

// connect dissolves a wild socket's peer first, so that the kernel chooses the source address anew.
func (s *epollSocket) connect(peer netip.AddrPort) error {
	if s.wild || !peer.IsValid() {
		if err := rawDissolve(s.fd); err != nil || !peer.IsValid() {
			return err
		}
	}
	return rawConnect(s.fd, peer, s.six)
}

func (s *epollSocket) send(b []byte, to netip.AddrPort) error {
	a := s.to
	if to.IsValid() {
		a = s.address()
	}
	if errno := a.send(s.fd, b, to, s.six); errno != 0 {
		return errno
	}
	return nil
}

func (s *epollSocket) address() *rawAddr {
	if s.to == nil {
		s.to = &rawAddr{}
	}
	return s.to
}

func (s *epollSocket) close(closed func()) {
	w := s.worker
	if s.twin != nil {
		s.twin.close(nil) // by the same worker, before this one
	}
	if s.slot < 0 {
		_ = shut(s.fd)
		if closed != nil {
			closed()
		}
		return
	}
	w.post(func() {
		_ = shut(s.fd) // nobody else has it open: it leaves the epoll set by itself
		w.mu.Lock()
		w.sockets[s.slot] = nil
		w.vacant = append(w.vacant, s.slot)
		w.mu.Unlock()
		if closed != nil {
			closed()
		}
	})
}
