package b2bua

import (
	"errors"
	"net/netip"
	"strconv"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

const errFamily = unacceptable("there is no media network of the address family that the description wants")

var errOtherFamily = errors.New("it is of another address family than those that ring already")

// Networks says over which of the media engine's interfaces media goes, "" being
// the first. Either function may be nil.
type Networks struct {
	Of     func(listener string) string // the one that a SIP socket is tied to, "" if to none
	Family func(ip6 bool) string        // the first whose address is of that family, "" if none is
}

// chooseInterfaces says over which networks the media goes: towards who sends the
// call by the socket that it came by, towards the target as the route says, and
// towards a phone that registered through us by the socket of its registration.
// Where nothing is said the family of the party's addresses decides.
func (c *Call) chooseInterfaces() {
	a := c.tied(c.legs[sideA].listener)
	if a == "" {
		a = c.ofFamily(mediaAddr(c.initial.offer, c.legs[sideA].flow.Remote.Addr()))
	}
	c.relay.Use(forker.SideA, a)
	c.network = c.route.Network
	if c.network == "" && c.callee != nil {
		c.network = c.tied(c.callee.flow.Listener)
	}
	c.relay.Use(forker.SideB, c.network)
}

// tied is the network that a SIP socket is tied to, "" if to none.
func (c *Call) tied(l *transport.Listener) string {
	if of := c.set.Networks.Of; of != nil && l != nil {
		return of(l.URL)
	}
	return ""
}

// ofFamily is the network by which somebody at an address is reached.
func (c *Call) ofFamily(peer netip.Addr) string {
	if of := c.set.Networks.Family; of != nil && peer.IsValid() {
		return of(peer.Unmap().Is6())
	}
	return ""
}

// mediaAddr is where a description, nil if there is none, wants its media, or else where
// its message came from.
func mediaAddr(s *sdp.Session, from netip.Addr) netip.Addr {
	if s == nil {
		return from
	}
	for _, section := range s.Media() {
		if to, ok := section.Addr(); ok && !to.Addr().IsUnspecified() {
			return to.Addr()
		}
	}
	return from
}

// expectMedia chooses the network of leg B before its ports are taken, as far as the
// first target is an address.
func (c *Call) expectMedia(targets []candidate) {
	if c.network != "" {
		return
	}
	if c.callee != nil {
		c.relay.Use(forker.SideB, c.ofFamily(c.callee.flow.Remote.Addr()))
		return
	}
	if len(targets) == 0 {
		return
	}
	if u, err := sip.ParseURI(targets[0].uri); err == nil {
		if a, ok := u.Addr(); ok {
			c.relay.Use(forker.SideB, c.ofFamily(a))
		}
	}
}

// mediaTowards has the media of leg B go over a network of the target's family,
// where none is named. Targets that ring together have one offer: those of another
// family than the first are left out, unless there is one network for all.
func (c *Call) mediaTowards(x *exchange, target netip.Addr) error {
	if c.network != "" {
		return nil
	}
	name := c.ofFamily(target)
	if f := x.hunt.fan; f != nil {
		if len(f.open) > 0 && f.network != name {
			return errOtherFamily
		}
		f.network = name
	}
	return c.relay.Move(forker.SideB, name)
}

// reachable tells whether the media of a description of a side can be sent to
// where it wants them: to no link-local address, to no group of hosts, and to some that
// our sockets towards that side can send to.
func (c *Call) reachable(from side, d *sdp.Session) error {
	wants, can := false, false
	for i, m := range d.Media() {
		if m.LinkLocal() {
			return unacceptable("m-line " + strconv.Itoa(i+1) + ": media cannot be sent to a link-local address")
		}
		to, ok := m.Addr()
		if ok && m.UDP() && to.Addr().IsMulticast() {
			return unacceptable("m-line " + strconv.Itoa(i+1) + ": media cannot be sent to a multicast address")
		}
		if ok && m.UDP() && !to.Addr().IsUnspecified() {
			wants = true
			can = can || c.relay.Reaches(from, i, to.Addr())
		}
	}
	if wants && !can {
		return errFamily
	}
	return nil
}

// aground tells whether an m-line is one of several that our sockets cannot send to.
func (c *Call) aground(from side, i int, m *sdp.Media) bool {
	to, ok := m.Addr()
	return ok && !to.Addr().IsUnspecified() && !c.relay.Reaches(from, i, to.Addr())
}
