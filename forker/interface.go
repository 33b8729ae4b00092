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
	return netip.AddrPortFrom(i.Advertise, pair.port), netip.AddrPortFrom(i.Advertise, pair.port+1)
}

// reaches tells whether sockets of the interface can send to an address. Only one
// at :: knows both families.
func (i *Interface) reaches(a netip.Addr) bool {
	return i.Listen == netip.IPv6Unspecified() || i.Listen.Unmap().Is4() == a.Unmap().Is4()
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

// Move is Use for the streams that there are as well: they get ports of that
// interface towards the side, which is a party that has not been heard yet. What the
// former ports have latched onto is forgotten. When ports are missing nothing changes
// and the error wraps ErrNoPorts.
func (r *Relay) Move(side Side, name string) error {
	if side != SideA && side != SideB {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	if r.via[side] == name {
		return nil
	}
	fresh := make([]*portPair, 0, len(r.streams))
	for i := range r.streams {
		pair, err := r.engine.take(name, r.worker, false)
		if err != nil {
			for _, pair := range fresh {
				pair.release()
			}
			return fmt.Errorf("moving stream %d to %q: %w", i, name, err)
		}
		fresh = append(fresh, pair)
	}
	r.via[side], r.hosts[side] = name, netip.Addr{}
	var errs []error
	for i, s := range r.streams {
		l := &s.legs[side]
		former := l.pair
		l.hangUp()
		s.open(r, side, fresh[i])
		errs = append(errs, s.attach(r, side))
		former.release()
	}
	return errors.Join(errs...)
}

// Reaches tells whether media towards a side can be sent to an address of that
// family.
func (r *Relay) Reaches(side Side, stream int, to netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.has(stream) {
		return r.streams[stream].legs[side].pair.pool.place.reaches(to)
	}
	return r.engine.ports.Load().pool(r.via[side]).place.reaches(to)
}
