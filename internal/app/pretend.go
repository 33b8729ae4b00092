package app

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sidetrack/internal/config"
	"sidetrack/internal/sip/transport"
	"sidetrack/policy"
	"sidetrack/src"
)

// pretend is what a proxy has in place of the world, to try a configuration out.
type pretend struct {
	send func(transport.Flow, []byte)
	now  func() time.Time
	ask  func(context.Context, *policy.Ask, src.Question) (src.Answer, error) // in place of programs that decide
}

// pretended is cfg for a proxy that touches nothing of this machine but a few
// media ports of the loopback, and that leaves out what would only disturb.
func pretended(cfg *config.Config) *config.Config {
	c := *cfg
	c.SIP.TLS, c.SIP.Trace, c.SIP.Rate = nil, 0, config.Rate{}
	c.Media.Listen = loopback(0)
	c.Media.Networks = slices.Clone(c.Media.Networks)
	for i := range c.Media.Networks {
		c.Media.Networks[i].Listen = loopback(i + 1) // ports may overlap where addresses do not
	}
	c.Recorders = slices.Clone(c.Recorders)
	for i := range c.Recorders {
		c.Recorders[i].Probe.Interval = 0
		c.Recorders[i].TLS = nil
	}
	return &c
}

func loopback(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(1 + i%250)}) }

// clock is the time of a proxy: that of the machine, or what it is to pretend.
func (a *App) clock() func() time.Time {
	if a.opt.pretend != nil {
		return a.opt.pretend.now
	}
	return time.Now
}

// decides asks programs about calls.
func (a *App) decides() func(context.Context, *policy.Ask, src.Question) (src.Answer, error) {
	if p := a.opt.pretend; p != nil && p.ask != nil {
		return p.ask
	}
	return a.decider.Decide
}
