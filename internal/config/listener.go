package config

import (
	"net/netip"
	"strings"
)

const wantListener = "udp://ADDRESS:PORT (or tcp, tls), such as udp://0.0.0.0:5060"

func (d *decoder) listen(c cursor) {
	if c.n.kind == scalar && !c.n.null() {
		c.failf("is a single value; write a list: [%s]", c.n.raw)
		return
	}
	for _, item := range c.items("sockets such as udp://0.0.0.0:5060") {
		l, ok := item.socket()
		if !ok {
			continue
		}
		if by := d.conflict(l); by != "" {
			item.failf("%s is taken by %s above; keep one, or choose another port", l.URL, by)
			continue
		}
		d.cfg.SIP.Listen = append(d.cfg.SIP.Listen, l.URL)
		d.cfg.SIP.Listeners = append(d.cfg.SIP.Listeners, l)
		item.need(func() error { return bindable(l.Proto, l.Addr) })
		if l.Proto == "tls" {
			d.later(func() { d.needCertificate(item) })
		}
	}
}

// socket reads one of our own: its URL, or a mapping with what is its own.
func (c cursor) socket() (l Listener, ok bool) {
	if c.n.kind != mapping {
		return c.listener()
	}
	d := c.d
	var advertise *cursor
	var own Listener
	read := c.read(fields{
		{"url", func(c cursor) { l, ok = c.listener() }},
		{"advertise", func(c cursor) { own.Advertise, own.own = c.advertised(); advertise = &c }},
		{"trusted", func(c cursor) {
			if own.Trusted = c.cidrs(); own.Trusted == nil {
				own.Trusted = []netip.Prefix{}
			}
			if len(own.Trusted) == 0 && c.n.kind == list && len(c.n.items) == 0 {
				d.later(func() {
					if d.cfg.SIP.Admission(own).everyone() {
						c.warnf("is empty: everyone who reaches this socket may start calls through it; list your networks")
					}
				})
			}
		}},
		{"trusted_certificates", func(c cursor) { own.Certified, own.ownCertified = d.certified(c, &own), true }},
		{"auth", func(c cursor) {
			own.ownSignIn = true
			if c.n.kind != scalar || c.n.text != "none" {
				own.SignIn = d.signIn(c)
			}
		}},
	})
	if !read {
		return l, false
	}
	if c.n.get("url") == nil {
		c.failf("has no url; add it, such as url: udp://0.0.0.0:5060")
	}
	if a, err := netip.ParseAddr(own.Advertise); ok && err == nil && a.Is4() != l.Addr.Addr().Is4() {
		advertise.failf("%s is of another family than %s; write an address that reaches it", advertise.show(), l.URL)
	}
	own.URL, own.Proto, own.Addr = l.URL, l.Proto, l.Addr
	return own, ok
}

// listener reads the URL of a socket and puts it into canonical form.
func (c cursor) listener() (Listener, bool) {
	s, ok := c.word(wantListener)
	if !ok {
		return Listener{}, false
	}
	proto, rest, ok := strings.Cut(s, "://")
	proto = strings.ToLower(proto)
	if !ok || proto != "udp" && proto != "tcp" && proto != "tls" {
		c.failf("%s is no socket; write %s", c.show(), wantListener)
		return Listener{}, false
	}
	addr, err := netip.ParseAddrPort(rest)
	if err != nil {
		addr, err = withDefaultPort(proto, rest)
	}
	if err != nil || addr.Addr().Is4In6() {
		c.failf("%s has no address of this host; write %s, IPv6 in brackets, port up to 65535", c.show(), wantListener)
		return Listener{}, false
	}
	if addr.Addr().IsMulticast() {
		c.failf("%s is a multicast address; write one of this host", c.show())
		return Listener{}, false
	}
	return Listener{URL: proto + "://" + addr.String(), Proto: proto, Addr: addr}, true
}

// defaultPort is that of RFC 3261 §19.1.2.
func defaultPort(proto string) int {
	if proto == "tls" {
		return 5061
	}
	return 5060
}

// withDefaultPort takes an address without a port.
func withDefaultPort(proto, s string) (netip.AddrPort, error) {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	a, err := netip.ParseAddr(s)
	return netip.AddrPortFrom(a, uint16(defaultPort(proto))), err
}

// conflict finds the socket that already has the port of l. TCP and TLS share
// the port space.
func (d *decoder) conflict(l Listener) string {
	for _, o := range d.cfg.SIP.Listeners {
		sameAddr := o.Addr.Addr() == l.Addr.Addr() ||
			o.Addr.Addr().Is4() == l.Addr.Addr().Is4() && (o.Addr.Addr().IsUnspecified() || l.Addr.Addr().IsUnspecified())
		if sameAddr && o.Addr.Port() == l.Addr.Port() && l.Addr.Port() != 0 && (o.Proto == "udp") == (l.Proto == "udp") {
			return o.URL
		}
	}
	return ""
}

// advertised reads the name under which others know us.
func (c cursor) advertised() (string, bool) {
	const want = "a host name or an address, such as 203.0.113.10"
	s, ok := c.word(want)
	if !ok {
		return "", false
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	a, err := netip.ParseAddr(s)
	switch {
	case err == nil && (a.IsUnspecified() || a.IsMulticast() || a.Zone() != ""):
		c.failf("%s is no address that others can reach; write %s", c.show(), want)
	case err != nil && (!validHost(s) || numeric(s)):
		c.failf("%s is no host; write %s, without scheme and port", c.show(), want)
	default:
		return s, true
	}
	return "", false
}
