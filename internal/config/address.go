package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// HostAddresses lists the addresses of this host by which others may reach it:
// of interfaces that are up, neither loopback nor link-local, in the system's
// order of interfaces.
func HostAddresses() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap().IsGlobalUnicast() {
				out = append(out, p.Addr().Unmap())
			}
		}
	}
	return out
}

// reachable finds the address that stands for a wildcard socket: the host's
// first of that family, else loopback, which only this host can reach. The
// others are those that could have been meant as well.
func reachable(wildcard netip.Addr, host []netip.Addr) (addr netip.Addr, others []netip.Addr) {
	for _, a := range host {
		switch {
		case a.Is4() != wildcard.Is4():
		case !addr.IsValid():
			addr = a
		default:
			others = append(others, a)
		}
	}
	if addr.IsValid() {
		return addr, others
	}
	if wildcard.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	return netip.IPv6Loopback(), nil
}

// splitHostPort is net.SplitHostPort with a numeric port.
func splitHostPort(s string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, errors.New("no port number")
	}
	if a, err := netip.ParseAddr(host); err != nil && host != "" && (!validHost(host) || numeric(host)) || err == nil && a.Zone() != "" {
		return "", 0, errors.New("no host")
	}
	return host, int(n), nil
}

// validHost accepts a host name, RFC 3261 §25.1 hostname, underscores allowed
// because people have them.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r != '-' && r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') {
				return false
			}
		}
	}
	return true
}

// numeric reports that a name is made like an address: its last label is a
// number, which no host name's is.
func numeric(s string) bool {
	last := s[strings.LastIndexByte(s, '.')+1:]
	_, err := strconv.Atoi(last)
	return err == nil
}

// cidr reads one network, or one address that stands for itself.
func (c cursor) cidr() (netip.Prefix, bool) {
	const want = "a network such as 192.0.2.0/24 or an address such as 192.0.2.20"
	s, ok := c.word(want)
	if !ok {
		return netip.Prefix{}, false
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		c.failf("%s is no network; write %s", c.show(), want)
		return netip.Prefix{}, false
	}
	if p != p.Masked() {
		one := netip.PrefixFrom(p.Addr(), p.Addr().BitLen())
		c.failf("%s has bits beyond its length; write %s for the network or %s for the one address",
			c.show(), c.hide(p.Masked()), c.hide(one))
		return netip.Prefix{}, false
	}
	return p, true
}

// hide gives v, made from the value, unless that is a secret.
func (c cursor) hide(v netip.Prefix) string {
	if c.n.secret {
		return "another"
	}
	return v.String()
}

// cidrs reads a list of networks.
func (c cursor) cidrs() []netip.Prefix {
	var out []netip.Prefix
	for _, item := range c.words("networks such as [192.0.2.0/24, 10.0.0.0/8]") {
		if p, ok := item.cidr(); ok {
			out = append(out, p)
		}
	}
	return out
}
