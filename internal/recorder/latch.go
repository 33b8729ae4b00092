package recorder

import (
	"net/netip"
	"slices"
)

// latch decides whose packets belong to a stream. The addresses of the client's
// SDP and of its signalling are its own (RFC 7866 §8.1.8: symmetric RTP). Until one of
// them was heard, the first stranger is taken for the client behind a NAT;
// from then on nobody else is heard, so that audio cannot be injected.
type latch struct {
	expected  []netip.Addr
	confirmed bool       // an expected address was heard
	natted    netip.Addr // else the first that was
	strangers uint64

	port  netip.AddrPort // where the client has announced to send RTP from
	exact bool           // … and does (RFC 4961)
}

// media is accepts for RTP. Once it has come from the very port that the client
// announced no other port of its host is heard: after a restart of ours a client
// may for a moment send the audio of another session to a port that is this
// one's now.
func (l *latch) media(from netip.AddrPort) bool {
	from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
	switch {
	case from == l.port:
		l.exact = true
	case l.exact && from.Addr() == l.port.Addr():
		l.strangers++
		return false
	}
	return l.accepts(from.Addr())
}

// announce sets the port that the client sends RTP from.
func (l *latch) announce(port netip.AddrPort) {
	port = netip.AddrPortFrom(port.Addr().Unmap().WithZone(""), port.Port())
	if port != l.port {
		l.port, l.exact = port, false
	}
}

func (l *latch) accepts(from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	switch {
	case slices.Contains(l.expected, from):
		l.confirmed = true
		return true
	case !l.confirmed && (!l.natted.IsValid() || l.natted == from):
		l.natted = from
		return true
	}
	l.strangers++
	return false
}

// expect sets the client's addresses; new ones open the latch again.
func (l *latch) expect(addrs ...netip.Addr) {
	var list []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); a.IsValid() && !a.IsUnspecified() && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	if !slices.Equal(list, l.expected) {
		l.expected, l.confirmed, l.natted = list, false, netip.Addr{}
	}
}
