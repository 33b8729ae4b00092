//go:build linux && (amd64 || arm64)

package forker

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A twin is a second socket on the port of one that faces a party, connected to
// where the party is: sending from it costs the kernel no look at its routes. The
// kernel gives it the party's datagrams, and everybody else's to the first one,
// so that strangers are seen and counted as before. Both have the same route,
// which asks the latch of each datagram whatever socket it came by. What the party
// has sent before the twin was connected waits at the first one; it is read before
// anything at the twin, so that the order stays.

// bond is what a twin has besides.
type bond struct {
	peer  netip.AddrPort
	elder *epollSocket // the first socket, until it has been read; the worker's
}

// follow gives the twin that is connected to the peer, made or connected anew if
// need be; nil when there cannot be one, or when the socket is a copy's, which nobody
// reads. It runs on the worker, under the lock of the relay that uses the socket.
func (s *epollSocket) follow(peer netip.AddrPort) *epollSocket {
	if s.slot < 0 {
		return nil
	}
	if s.twin == nil && !s.single {
		s.single = true // one attempt
		if fd, err := s.rebind(); err == nil {
			s.single = !s.raise(fd)
		}
	}
	t := s.twin
	if t == nil {
		return nil
	}
	if t.bond.peer != peer {
		if t.connect(peer) != nil {
			t.bond.peer = netip.AddrPort{}
			return nil
		}
		*t.bond = bond{peer, s}
	}
	return t
}

// maxQueued is how many datagrams are read of one socket before its twin's, at
// most: as many of a party's as its buffer holds.
const maxQueued = mediaBuffer / 512

// catchUp reads what the first socket holds, when the twin is read for the first
// time since it was connected.
func (w *epollWorker) catchUp(twin *epollSocket) {
	first := twin.bond.elder
	twin.bond.elder = nil
	for range maxQueued {
		if !w.readOne(first) {
			return
		}
	}
}

// rebind opens another socket on the port. It can be shared for that moment only:
// nobody else may ever listen in.
func (s *epollSocket) rebind() (fd int, err error) {
	local, err := rawName(s.fd)
	if err != nil {
		return -1, err
	}
	if err := share(s.fd, 1); err != nil {
		return -1, err
	}
	defer func() { _ = share(s.fd, 0) }()
	fd, err = rawOpen(s.six, local.Addr().IsUnspecified(), mediaBuffer)
	if err != nil {
		return -1, err
	}
	if err := errors.Join(share(fd, 1), bindTo(fd, local, s.six), share(fd, 0), s.likeness(fd)); err != nil {
		return -1, errors.Join(err, shut(fd))
	}
	return fd, nil
}

// likeness gives the twin the mark (RFC 2474) of the first one.
func (s *epollSocket) likeness(fd int) error {
	level, name := unix.IPPROTO_IP, unix.IP_TOS
	if s.six {
		level, name = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	mark, err := unix.GetsockoptInt(s.fd, level, name)
	if err != nil || mark == 0 {
		return err
	}
	return markFD(fd, s.six, mark)
}

func share(fd, on int) error { return option(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, on) }

// raise has the worker read the twin.
func (s *epollSocket) raise(fd int) bool {
	t := &epollSocket{fd: fd, worker: s.worker, slot: -1, six: s.six, wild: s.wild, single: true, bond: &bond{}}
	if t.attach(s.route.Load()) != nil {
		_ = shut(fd)
		return false
	}
	s.twin = t
	return true
}
