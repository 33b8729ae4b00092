package b2bua

import "net/netip"

// realm is from where an address can be used: within its host, its network, its
// carrier's, or from anywhere. Two addresses of one realm are reached alike.
type realm struct {
	reach reach
	ip6   bool
	net   netip.Prefix // of an address that cannot be used from anywhere
}

// reach is how far an address can be used.
type reach int

const (
	withinHost reach = iota
	withinNetwork
	withinCarrier
	anywhere
)

var (
	shared = netip.MustParsePrefix("100.64.0.0/10") // between a carrier's NAT and its customers' (RFC 6598)
	inHost = netip.MustParsePrefix("192.0.0.0/29")  // of a host whose network knows IPv6 alone (RFC 6877, RFC 7335)
)

func realmOf(a netip.Addr) realm {
	a = a.Unmap()
	r := realm{reach: anywhere, ip6: a.Is6()}
	switch {
	case a.IsLoopback(), a.IsUnspecified(), inHost.Contains(a):
		r.reach = withinHost
	case a.IsPrivate(), a.IsLinkLocalUnicast():
		r.reach = withinNetwork
	case shared.Contains(a):
		r.reach = withinCarrier
	default:
		return r
	}
	bits := 16
	if r.ip6 {
		bits = 64
	}
	r.net, _ = a.Prefix(bits) // never more than the address has
	return r
}

// hides tells whether who says that he is here and is seen there is behind NAT: from
// there his own address cannot be used.
func (r realm) hides(seen realm) bool { return r.reach < seen.reach }
