package b2bua

import (
	"sidetrack/forker"
	"sidetrack/internal/sip/transport"
)

// chooseInterfaces says over which networks the media goes: towards who sends the
// call by the socket that it came by, towards the target as the route says, and
// towards a phone that registered through us by the socket of its registration.
func (c *Call) chooseInterfaces() {
	of := c.set.Interface
	if of == nil {
		return
	}
	by := func(l *transport.Listener) string {
		if l == nil {
			return ""
		}
		return of(l.URL)
	}
	c.relay.Use(forker.SideA, by(c.legs[sideA].listener))
	switch {
	case c.route.Network != "":
		c.relay.Use(forker.SideB, c.route.Network)
	case c.callee != nil:
		c.relay.Use(forker.SideB, by(c.callee.flow.Listener))
	}
}
