package forker

import (
	"errors"
	"net/netip"
	"syscall"
)

// driver owns sockets and whatever reads them. It interprets routes: flows
// described as data (what to accept, where to send, where to copy, what to
// count), so that another way of moving datagrams, the kernel's own included,
// can take its place.
type driver interface {
	// place chooses the worker of a new relay; leave tells that the relay is gone.
	place() (worker int)
	leave(worker int)
	// bind opens a UDP socket that this worker reads. Nothing is read before attach.
	bind(local netip.AddrPort, readBuffer, worker int) (socket, error)
	// keeps is how many pairs of a range may stay bound for later calls; 0: none.
	keeps() int
	// unread tells whether anything waits at a pair's sockets that nobody has read,
	// errors included.
	unread(*portPair) bool
	// segments tells whether sendSegments works.
	segments() bool
	// stop closes every socket left and waits for all goroutines.
	stop() error
}

// socket is one bound UDP port.
type socket interface {
	// attach makes what arrives go the route's way from the next datagram that is read on.
	// Before the first attach nothing is read; the kernel drops what does not
	// fit the read buffer.
	attach(*route) error
	// connect sets the peer that send uses for a zero address. ICMP errors
	// from it come back from send.
	connect(peer netip.AddrPort) error
	// mark sets the DSCP (RFC 2474) of what is sent.
	mark(dscp int) error
	// send never waits. Callers hold the mutex of the relay that uses the
	// socket. Errors are syscall.Errno or wrap one.
	send(b []byte, to netip.AddrPort) error
	// sendSegments sends b as datagrams of size bytes, the last perhaps shorter,
	// with one system call. Only where the driver says that it can.
	sendSegments(b []byte, size int, to netip.AddrPort) error
	// close gives the port up without waiting for it. closed, if not nil, is
	// called once nothing reads the socket any more and the port is free, by
	// this or another goroutine; not at all when the driver stops before.
	close(closed func())
}

// Read buffers, in bytes as given to SO_RCVBUF. A second of G.711 is 50
// datagrams of about 1 KB of kernel memory each.
const (
	mediaBuffer   = 64 << 10
	controlBuffer = 16 << 10
	deafBuffer    = 4 << 10 // ports of a copy: nothing is expected there

	maxDatagram = 65535
	burst       = 8 // datagrams read from one socket before the next has its turn
)

// portTaken tells that another program, or another socket of ours, has a port.
func portTaken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES)
}

// exhausted tells that the process or machine is out of descriptors or memory.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// dropReason sorts an error of send.
func dropReason(err error) DropReason {
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOBUFS):
		return DropWouldBlock
	case unreachable(err):
		return DropUnreachable
	}
	return DropError
}

// belated tells an error that may be about a packet sent before: ICMP says that nobody
// is there, or (EMSGSIZE) that a link on the way takes less. The kernel has learnt that then,
// and sends the next packet in fragments (RFC 1191, RFC 8201).
func belated(err error) bool { return unreachable(err) || errors.Is(err, syscall.EMSGSIZE) }

// unreachable tells an ICMP error received for something sent before.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
