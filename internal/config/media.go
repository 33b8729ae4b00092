package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// portsPerCall is what a recorded call with one audio stream takes: an even
// and an odd port towards caller, callee, and per copy to the SRS.
const portsPerCall = 8

// The values of media.latching.
const (
	latchNAT      = "nat"
	latchAnywhere = "anywhere"
)

func defaultMedia() Media {
	return Media{PortMin: 20000, PortMax: 29999, MaxRate: 5000, MaxStreams: 4, Timeout: 60 * time.Second}
}

func (d *decoder) media(c cursor) {
	m := &d.cfg.Media
	c.read(fields{
		{"listen", func(c cursor) {
			if a, ok := c.ip("0.0.0.0"); ok {
				m.Listen = a
				c.needMedia(a)
			}
		}},
		{"advertise", func(c cursor) {
			a, ok := c.ip("203.0.113.10")
			if ok && a.IsUnspecified() {
				c.failf("%s is no address that others can reach; write one such as 203.0.113.10", c.show())
				return
			}
			m.Advertise = a
			d.later(func() {
				if ok && a.Is4() != m.Listen.Is4() && m.Listen != netip.IPv6Unspecified() {
					c.failf("%s is of another family than media.listen (%s); write an address of the same", c.show(), m.Listen)
				}
			})
		}},
		{"ports", d.ports},
		{"dscp", func(c cursor) { m.DSCP, _ = c.dscp() }},
		{"networks", d.networkList},
		{"timeout", func(c cursor) {
			if v, ok := c.duration(0, 24*time.Hour, "60s"); ok {
				m.Timeout = v
			}
		}},
		{"latching", func(c cursor) {
			s, _ := c.oneOf(latchNAT, latchAnywhere)
			m.LatchAnywhere = s == latchAnywhere
		}},
		{"max_rate", func(c cursor) {
			if v, ok := c.integer(0, 1_000_000); ok {
				m.MaxRate = v
			}
		}},
		{"max_streams", func(c cursor) {
			if v, ok := c.integer(0, 64); ok {
				m.MaxStreams = v
			}
		}},
		{"batch", func(c cursor) { c.batch(&m.Batch) }},
		{"srtp", func(c cursor) { d.cfg.Policy.Registered = c.legs() }},
		{"record_aware", func(c cursor) { c.aware(&d.cfg.Policy.Aware) }},
	})
}

// batch reads how many copies may leave as one send.
func (c cursor) batch(into *int) {
	s, ok := c.word("adaptive, off or a number")
	n, err := strconv.Atoi(s)
	switch {
	case !ok:
	case s == "off":
		*into = 0
	case s == "adaptive":
		*into = AdaptiveBatch
	case err == nil && n >= 2 && n <= 16 && s[0] != '0' && s[0] != '+':
		*into = n
	default:
		c.failf("%s is no size of a batch; write adaptive, off or a number from 2 to 16", c.show())
	}
}

// ip reads a numeric address.
func (c cursor) ip(example string) (netip.Addr, bool) {
	s, ok := c.word("an address such as " + example)
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if a.IsLinkLocalUnicast() {
		a = a.WithZone("")
	}
	if err != nil || a.IsMulticast() || a.Zone() != "" {
		c.failf("%s is no address; write one such as %s, without port", c.show(), example)
		return netip.Addr{}, false
	}
	if a.Is6() && a.IsLinkLocalUnicast() {
		c.failf("%s is link-local: others reach it with a zone only, for which SDP has no place; write an address such as %s", c.show(), example)
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

func (d *decoder) ports(c cursor) {
	first, last, ok := c.portRange(portsPerCall)
	if !ok {
		return
	}
	d.cfg.Media.PortMin, d.cfg.Media.PortMax = first, last
	d.later(func() { d.portsAndSIP(c, first, last) })
}

// portRange reads a range of at least so many ports. An even last port has no
// odd one for its RTCP and is left alone.
func (c cursor) portRange(least int) (first, last int, ok bool) {
	const want = "FIRST-LAST such as 20000-29999"
	s, ok := c.word(want)
	if !ok {
		return 0, 0, false
	}
	a, b, ok := strings.Cut(s, "-")
	from, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	to, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	first, last = int(from), int(to)
	switch {
	case !ok || err1 != nil || err2 != nil || first == 0:
		c.failf("%s is no port range; write %s, ports from 1 to 65535", c.show(), want)
	case last < first:
		c.failf("%s ends before it begins; write %d-%d", c.show(), last, first)
	case last-first+1 < least:
		c.failf("%s has %d ports, but one recorded call takes %d; write a larger range", c.show(), last-first+1, least)
	case first%2 == 1:
		c.failf("%s begins with an odd port, but RTP takes the even ones; write %d-%d", c.show(), first+1, last)
	default:
		return first, last - 1 + last%2, true
	}
	return 0, 0, false
}

// portsAndSIP finds a socket for SIP among the ports for RTP.
func (d *decoder) portsAndSIP(c cursor, first, last int) {
	for _, l := range d.cfg.SIP.Listeners {
		if p := int(l.Addr.Port()); l.Proto == "udp" && p >= first && p <= last {
			c.failf("%s contains the port of %s; write a range without it", c.show(), l.URL)
		}
	}
}

// finishMedia sets the addresses that follow from those of SIP: what is bound
// is a wildcard of the first socket's family, what is advertised is what SIP
// advertises, if that is an address.
func (d *decoder) finishMedia() {
	m := &d.cfg.Media
	first := netip.IPv4Unspecified()
	if len(d.cfg.SIP.Listeners) > 0 {
		first = d.cfg.SIP.Listeners[0].Addr.Addr()
	}
	if !m.Listen.IsValid() {
		m.Listen = netip.IPv4Unspecified()
		if first.Is6() {
			m.Listen = netip.IPv6Unspecified()
		}
	}
	if m.Advertise.IsValid() {
		return
	}
	if a, err := netip.ParseAddr(d.cfg.SIP.Advertise); err == nil && (a.Is4() == m.Listen.Is4() || m.Listen == netip.IPv6Unspecified()) {
		m.Advertise = a
		return
	}
	bound := m.Listen
	if bound.IsUnspecified() && first.Is4() == bound.Is4() {
		bound = first
	}
	if bound.IsUnspecified() {
		bound, _ = reachable(bound, d.opt.Addresses())
	}
	m.Advertise = bound.WithZone("")
}
