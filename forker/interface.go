package forker

import (
	"errors"
	"fmt"
	"net/netip"
)

// Interface is a network that media goes over.
type Interface struct {
	Listen    netip.Addr // where sockets bind; may be unspecified (0.0.0.0, ::)
	Advertise netip.Addr // put into SDP; zero: Listen, which then must be specific

	PortMin, PortMax int // inclusive; even ports carry RTP, the odd one above RTCP
	DSCP             int // of what leaves (RFC 2474), 0 to 63
}

// normalize fills defaults in and checks the rest; every mistake is named.
func (i *Interface) normalize() error {
	var errs []error
	if !i.Listen.IsValid() {
		errs = append(errs, errors.New("listen: an IP address is needed"))
	}
	if !i.Advertise.IsValid() {
		i.Advertise = i.Listen
	}
	if i.Listen.IsValid() && i.Advertise.IsUnspecified() {
		errs = append(errs, errors.New("advertise: needed when listen is the unspecified address"))
	}
	if i.PortMin < 1 || i.PortMax > 65535 || i.PortMin+i.PortMin%2 >= i.PortMax {
		errs = append(errs, fmt.Errorf("ports %d-%d: want 1 <= min < max <= 65535 with an even port and the odd one above it", i.PortMin, i.PortMax))
	}
	if i.DSCP < 0 || i.DSCP > 63 {
		errs = append(errs, fmt.Errorf("dscp %d: want 0 to 63", i.DSCP))
	}
	return errors.Join(errs...)
}

// address is what SDP says of a pair.
func (i *Interface) address(pair *portPair) (rtp, rtcp netip.AddrPort) {
	port := uint16(pair.port)
	return netip.AddrPortFrom(i.Advertise, port), netip.AddrPortFrom(i.Advertise, port+1)
}

// Use has the media towards one side go over that interface, "" being the first.
// It counts for streams that are made afterwards; a name that Config.Interfaces
// does not have is the first, too.
func (r *Relay) Use(side Side, name string) {
	if side != SideA && side != SideB {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.via[side] = name
}
