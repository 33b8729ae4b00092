package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Network is one that media goes over.
type Network struct {
	Name              string
	Listen, Advertise netip.Addr
	PortMin, PortMax  int
	DSCP              int
	Listeners         []string // URLs of sip.listen: the media of legs that come by these goes over it
}

// NetworkOf names the first network that tells an address of that family in SDP, ""
// being the one that Listen, Advertise and the ports describe; false if none does.
func (m *Media) NetworkOf(ip6 bool) (name string, ok bool) {
	if m.Advertise.Is6() == ip6 {
		return "", true
	}
	for _, n := range m.Networks {
		if n.Advertise.Is6() == ip6 {
			return n.Name, true
		}
	}
	return "", false
}

func (d *decoder) networkList(c cursor) {
	c.free("a name for each network", func(name string, v cursor) {
		if len(name) > 64 || !token(name) {
			v.failf("%q cannot name a network; write letters, digits, - _ and .", name)
			return
		}
		i := Network{Name: name}
		ok := v.read(fields{
			{"listen", func(c cursor) {
				if a, ok := c.ip("10.0.0.1"); ok {
					i.Listen = a
					c.needMedia(a)
				}
			}},
			{"advertise", func(c cursor) { i.Advertise, _ = c.ip("203.0.113.10") }},
			{"ports", func(c cursor) {
				if first, last, ok := c.portRange(2); ok {
					i.PortMin, i.PortMax = first, last
					d.later(func() { d.portsAndSIP(c, first, last) })
				}
			}},
			{"dscp", func(c cursor) { i.DSCP, _ = c.dscp() }},
			{"listeners", func(c cursor) {
				items := []cursor{c}
				if c.n.kind == list {
					items = c.items("sockets of sip.listen")
				}
				for _, item := range items {
					var url string
					d.listenerRef(item, &url)
					if url != "" {
						i.Listeners = append(i.Listeners, url)
					}
				}
			}},
		})
		if !ok {
			return
		}
		for _, key := range []string{"listen", "ports"} {
			if v.n.get(key) == nil {
				v.failf("has no %s; add it", key)
			}
		}
		d.cfg.Media.Networks, d.networks = append(d.cfg.Media.Networks, i), append(d.networks, v)
	})
}

// finishNetworks fills in what is advertised and finds ports that two networks share.
func (d *decoder) finishNetworks(root cursor) {
	m := &d.cfg.Media
	for n := range m.Networks {
		i, at := &m.Networks[n], d.networks[n]
		if !i.Listen.IsValid() || i.PortMax == 0 {
			continue // told already
		}
		if !i.Advertise.IsValid() {
			i.Advertise = i.Listen
		}
		if i.Advertise.IsUnspecified() {
			at.failf("listens on %s; add advertise: the address that others reach it by", i.Listen)
		}
		if i.Advertise.Is4() != i.Listen.Is4() && i.Listen != netip.IPv6Unspecified() {
			at.failf("advertises %s and listens on %s, of another family; write addresses of the same", i.Advertise, i.Listen)
		}
		others := append([]Network{{Name: "media.ports", Listen: m.Listen, PortMin: m.PortMin, PortMax: m.PortMax}}, m.Networks[:n]...)
		for _, o := range others {
			same := o.Listen == i.Listen || o.Listen.IsUnspecified() || i.Listen.IsUnspecified()
			if same && i.PortMin <= o.PortMax && o.PortMin <= i.PortMax {
				at.failf("has ports of %s (%d-%d) on the same address; write another range", o.Name, o.PortMin, o.PortMax)
			}
		}
		for _, o := range m.Networks[:n] {
			for _, url := range i.Listeners {
				if slices.Contains(o.Listeners, url) {
					at.failf("names the listener %s, and so does %s; a socket has one network", url, o.Name)
				}
			}
		}
	}
	d.familiesWithoutMedia(root)
}

// familiesWithoutMedia finds sockets for SIP whose callers would want media of an
// address family that no network has.
func (d *decoder) familiesWithoutMedia(root cursor) {
	m := &d.cfg.Media
	if !m.Advertise.IsValid() {
		return // told already
	}
	told := map[bool]bool{}
	for _, l := range d.cfg.SIP.Listeners {
		ip6 := l.Addr.Addr().Is6()
		if _, ok := m.NetworkOf(ip6); ok || told[ip6] {
			continue
		}
		told[ip6] = true
		family, example := "IPv4", "192.0.2.1"
		if ip6 {
			family, example = "IPv6", "2001:db8::1"
		}
		d.warnf(root.n.get("sip").get("listen").line, "sip.listen",
			"%s is for %s, but media has no such address, so calls with media there are refused (488); add a network with listen: \"%s\" to media.networks", l.URL, family, example)
	}
}

// networkRef reads the name of a network.
func (d *decoder) networkRef(c cursor, into *string) {
	s, ok := c.word("the name of one of media.networks")
	if !ok {
		return
	}
	*into = s
	d.later(func() {
		var names []string
		for _, i := range d.cfg.Media.Networks {
			if i.Name == s {
				return
			}
			names = append(names, i.Name)
		}
		c.failf("there is no network %s; %s", c.show(), c.propose(s, names, "add it to media.networks"))
	})
}

// dscpNames are the names that RFC 2474, 2597, 3246 and 8622 give to code points.
var dscpNames = map[string]int{
	"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56, "ef": 46, "le": 1,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "af43": 38,
}

// dscp reads a code point by name or number.
func (c cursor) dscp() (int, bool) {
	const want = "a DSCP such as ef or 46, 0 to 63"
	s, ok := c.word(want)
	if !ok {
		return 0, false
	}
	if n, named := dscpNames[strings.ToLower(s)]; named {
		return n, true
	}
	n, err := strconv.ParseUint(s, 10, 6)
	if err != nil {
		c.failf("%s is no code point; write %s", c.show(), want)
		return 0, false
	}
	return int(n), true
}
