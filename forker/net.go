package forker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// netDriver is the portable driver: a goroutine per socket on Go's netpoller.
type netDriver struct {
	now func() int64

	mu      sync.Mutex
	sockets map[*netSocket]struct{}
	stopped bool
}

func newNetDriver(now func() int64) *netDriver {
	return &netDriver{now: now, sockets: make(map[*netSocket]struct{})}
}

// place: each socket has a goroutine of its own, and the scheduler places it.
func (d *netDriver) place() int { return 0 }

func (d *netDriver) leave(int) {}

func (d *netDriver) bind(local netip.AddrPort, readBuffer, _ int) (socket, error) {
	network := "udp4"
	if local.Addr().Is6() {
		network = "udp" // on :: the socket takes both families
		if !local.Addr().IsUnspecified() {
			network = "udp6"
		}
	}
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(context.Background(), network, local.String())
	if err != nil {
		return nil, fmt.Errorf("opening a UDP socket: %w", err)
	}
	s := &netSocket{driver: d, conn: pc.(*net.UDPConn)}
	if err := errors.Join(s.conn.SetReadBuffer(readBuffer), s.out.init(s.conn, local.Addr().Is6())); err != nil {
		return nil, errors.Join(fmt.Errorf("binding %v: %w", local, err), s.conn.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil, errors.Join(ErrClosed, s.conn.Close())
	}
	d.sockets[s] = struct{}{}
	return s, nil
}

func (d *netDriver) stop() error {
	d.mu.Lock()
	d.stopped = true
	var left []*netSocket
	for s := range d.sockets {
		left = append(left, s)
	}
	d.mu.Unlock()
	for _, s := range left {
		s.close(nil)
	}
	return nil
}

var _ socket = (*netSocket)(nil)

type netSocket struct {
	driver *netDriver
	conn   *net.UDPConn
	route  atomic.Pointer[route]
	once   sync.Once
	reader sync.WaitGroup
	out    netSender // guarded by the relay's mutex
}

func (s *netSocket) attach(r *route) error {
	s.route.Store(r)
	s.once.Do(func() { s.reader.Go(s.read) })
	return nil
}

// usualDatagram bounds what a socket of its own goroutine reads at first, as
// each holds its buffer all the time. One that meets a larger datagram loses
// that one rather than passing it on cut, and takes a full buffer.
const usualDatagram = 4096

// read handles what arrives until the socket is closed.
func (s *netSocket) read() {
	buf := make([]byte, usualDatagram)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if !belated(err) { // an ICMP error is cleared by the read; anything else must not spin
				time.Sleep(time.Millisecond)
			}
			continue
		case n == len(buf) && n < maxDatagram:
			buf = make([]byte, maxDatagram)
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
		s.route.Load().handle(buf[:n], from, s.driver.now())
	}
}

func (s *netSocket) mark(dscp int) error { return s.out.mark(dscp) }

func (s *netSocket) connect(peer netip.AddrPort) error { return s.out.connect(peer) }

func (s *netSocket) send(b []byte, to netip.AddrPort) error { return s.out.send(b, to) }

// keeps: the goroutines end with their calls.
func (d *netDriver) keeps() int { return 0 }

func (d *netDriver) unread(*portPair) bool { return false }

// segments: each datagram is a send of its own.
func (d *netDriver) segments() bool { return false }

func (s *netSocket) sendSegments([]byte, int, netip.AddrPort) error { return errors.ErrUnsupported }

func (s *netSocket) close(closed func()) {
	_ = s.conn.Close()
	s.reader.Wait()
	s.driver.mu.Lock()
	delete(s.driver.sockets, s)
	s.driver.mu.Unlock()
	if closed != nil {
		closed()
	}
}
