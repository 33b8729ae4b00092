package recorder

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
)

var errNoPorts = errors.New("no media port is free")

// portRange hands out pairs of sockets: an even port for RTP, the next for RTCP
// (RFC 3550 §11). It goes round the range, so that a port rests as long as possible
// before it is used again and a late packet does not meet a new session.
type portRange struct {
	min, max int
	mu       sync.Mutex
	next     int
}

func newPortRange(low, high int) *portRange {
	return &portRange{min: low + low&1, max: high, next: low + low&1}
}

// open binds a free pair on addr. Ports that somebody else holds are passed over. What no
// other port would change ends the search: it is made on a lane.
func (r *portRange) open(addr netip.Addr) (rtp, rtcp *net.UDPConn, err error) {
	for range (r.max - r.min + 1) / 2 {
		port := r.take()
		if rtp, err = listenUDP(addr, port); err != nil {
			if hopeless(err) {
				break
			}
			continue
		}
		if rtcp, err = listenUDP(addr, port+1); err == nil {
			return rtp, rtcp, nil
		}
		rtp.Close()
	}
	return nil, nil, fmt.Errorf("%w in %d-%d: %v", errNoPorts, r.min, r.max, err)
}

func hopeless(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT},
		func(e error) bool { return errors.Is(err, e) })
}

func (r *portRange) take() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	port := r.next
	if r.next += 2; r.next+1 > r.max {
		r.next = r.min
	}
	return port
}

func listenUDP(addr netip.Addr, port int) (*net.UDPConn, error) {
	network := "udp4"
	if addr.Is6() {
		network = "udp6"
	}
	return net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(port))))
}
