package forker

import "net/netip"

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// bar takes away from a description what nothing may be sent to: many hosts at once,
// and ports of the relay itself, which would take what comes there for its party's, and
// send it round for ever where both parties say so. Such a party hears nothing, as one
// that says 0.0.0.0. Ports of another call are not barred: a PBX may send a call back
// through us, and leave its description as it is.
func (r *Relay) bar(remote Remote) (Remote, bool) {
	barred := false
	for _, a := range []*netip.AddrPort{&remote.RTP, &remote.RTCP} {
		if host := a.Addr().Unmap(); a.IsValid() && (host.IsMulticast() || host == broadcast || r.owns(host, int(a.Port()))) {
			*a, barred = netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()), true
		}
	}
	return remote, barred
}

// owns tells whether that is a port of the relay.
func (r *Relay) owns(host netip.Addr, port int) bool {
	for _, s := range r.streams {
		for side := range s.legs {
			pair := s.legs[side].pair
			place := &pair.pool.place
			if (port == int(pair.port) || port == int(pair.port)+1) && (host == place.Advertise.Unmap() || host == place.Listen.Unmap()) {
				return true
			}
		}
	}
	return false
}
