package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const minTrace = 1 << 20

func defaultSIP() SIP {
	return SIP{
		MaxConns: 20000, MaxConnsPerSource: 1024, Identity: IdentityPreserve, Asserted: AssertedTrusted,
		Register: RegisterContact, Trace: 64 << 20, Drain: 30 * time.Second,
	}
}

func (d *decoder) sip(c cursor) {
	s := &d.cfg.SIP
	c.read(fields{
		{"listen", d.listen},
		{"advertise", func(c cursor) { s.Advertise, _ = c.advertised() }},
		{"dscp", func(c cursor) { s.DSCP, _ = c.dscp() }},
		{"tls", d.tls(&s.TLS)},
		{"trusted", func(c cursor) { s.Trusted = c.cidrs() }},
		{"trusted_certificates", func(c cursor) { s.Certified = d.certified(c, nil) }},
		{"auth", func(c cursor) { s.SignIn = d.signIn(c) }},
		{"max_calls", func(c cursor) {
			if n, ok := c.integer(0, 1_000_000); ok {
				s.MaxCalls = n
			}
		}},
		{"max_connections", func(c cursor) {
			if n, ok := c.integer(1, 1_000_000); ok {
				s.MaxConns = n
			}
		}},
		{"max_connections_per_source", func(c cursor) {
			if n, ok := c.integer(1, 1_000_000); ok {
				s.MaxConnsPerSource = n
			}
		}},
		{"identity", func(c cursor) {
			if v, ok := c.oneOf(IdentityPreserve, IdentityRewrite); ok {
				s.Identity = v
			}
		}},
		{"asserted_identity", func(c cursor) {
			if v, ok := c.oneOf(AssertedTrusted, AssertedAlways, AssertedNever); ok {
				s.Asserted = v
			}
		}},
		{"register", func(c cursor) {
			if v, ok := c.oneOf(RegisterContact, RegisterPath); ok {
				s.Register = v
			}
		}},
		{"session_expires", func(c cursor) {
			v, ok := c.duration(0, 24*time.Hour, "30m")
			switch {
			case ok && v != 0 && v < 90*time.Second:
				c.failf("%s is too short (RFC 4028 §5); write 90s or more, such as 30m, or 0s for none", c.show())
			case ok && v%time.Second != 0:
				c.failf("%s has parts of a second; write whole seconds, such as 30m", c.show())
			case ok:
				s.SessionExpires = v
			}
		}},
		{"rate", d.rate},
		{"trace", func(c cursor) {
			v, ok := c.size("64MiB")
			switch {
			case ok && v != 0 && v < minTrace:
				c.failf("%s is too small; write a size from 1MiB on, or 0 to keep nothing", c.show())
			case ok:
				s.Trace = v
			}
		}},
		{"drain", func(c cursor) {
			if v, ok := c.duration(0, 24*time.Hour, "30s"); ok {
				s.Drain = v
			}
		}},
	})
}

// rate reads how many requests per second are taken.
func (d *decoder) rate(c cursor) {
	c.read(fields{
		{"per_source", func(c cursor) { c.perSecond(&d.cfg.SIP.Rate.PerSource) }},
		{"total", func(c cursor) { c.perSecond(&d.cfg.SIP.Rate.Total) }},
	})
	r := d.cfg.SIP.Rate
	if r.Total > 0 && r.PerSource > r.Total {
		c.warnf("per_source is above total, so it has no effect; write less than %d/s", r.Total)
	}
}

// perSecond reads N/s; 0 is no limit.
func (c cursor) perSecond(into *int) {
	const want = "a number per second such as 50/s, or 0 for no limit"
	s, ok := c.word(want)
	if !ok {
		return
	}
	number, unit, some := strings.Cut(s, "/")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n > 1_000_000 || some && unit != "s" || !some && n != 0 {
		c.failf("%s is no rate; write %s", c.show(), want)
		return
	}
	*into = int(n)
}

// finishSIP fills in what depends on more than one key.
func (d *decoder) finishSIP(root cursor) {
	s := &d.cfg.SIP
	sip := root.n.get("sip")
	line := root.section("sip")
	if sip == nil || sip.kind == mapping && sip.get("listen") == nil || sip.null() {
		d.addf(line, "sip.listen", "is missing: without a socket no call comes in; write listen: [udp://0.0.0.0:5060]")
	} else if v := sip.get("listen"); v != nil && (v.null() || v.kind == list && len(v.items) == 0) {
		d.addf(v.line, "sip.listen", "names no socket; write listen: [udp://0.0.0.0:5060]")
	}
	open := slices.ContainsFunc(s.Listeners, func(l Listener) bool { return l.Trusted == nil && s.Admission(l).everyone() })
	if sip == nil || sip.kind != mapping || sip.get("trusted") == nil {
		if open || len(s.Listeners) == 0 {
			d.warnf(line, "sip.trusted", "is not set: everyone who reaches this proxy may start calls through it; list your networks")
		}
	} else if v := sip.get("trusted"); v.kind == list && len(v.items) == 0 && open {
		d.warnf(v.line, "sip.trusted", "is empty: everyone who reaches this proxy may start calls through it; list your networks")
	}
	wildcard := false
	for i := range s.Listeners {
		l := &s.Listeners[i]
		if l.Advertise == "" {
			l.Advertise = d.hostFor(l.Addr.Addr())
			wildcard = wildcard || l.Addr.Addr().IsUnspecified()
		}
	}
	if v := sip; wildcard && s.Advertise == "" && v != nil {
		d.warnGuess(v.get("listen"))
	}
}

// hostFor gives the host to put into Via and Contact for a socket bound to
// addr. An advertised address of the other family cannot be meant for it.
func (d *decoder) hostFor(addr netip.Addr) string {
	adv, err := netip.ParseAddr(d.cfg.SIP.Advertise)
	if d.cfg.SIP.Advertise != "" && (err != nil || adv.Is4() == addr.Is4()) {
		return d.cfg.SIP.Advertise
	}
	if !addr.IsUnspecified() {
		return addr.WithZone("").String()
	}
	a, _ := reachable(addr, d.opt.Addresses())
	return a.String()
}

// warnGuess tells when an address had to be chosen among several.
func (d *decoder) warnGuess(at *node) {
	told := map[bool]bool{}
	for _, l := range d.cfg.SIP.Listeners {
		addr := l.Addr.Addr()
		if !addr.IsUnspecified() || told[addr.Is4()] || l.own {
			continue
		}
		told[addr.Is4()] = true
		chosen, others := reachable(addr, d.opt.Addresses())
		if chosen.IsLoopback() {
			d.warnf(at.line, "sip.listen", "this host has no address for %s but loopback, so others cannot answer; set sip.advertise", l.URL)
		} else if len(others) > 0 {
			d.warnf(at.line, "sip.listen", "this host has several addresses; peers are told %s, not %s; set sip.advertise to choose", chosen, addrList(others))
		}
	}
}

func addrList(addrs []netip.Addr) string {
	var b []string
	for _, a := range addrs {
		b = append(b, a.String())
	}
	return strings.Join(b, ", ")
}
