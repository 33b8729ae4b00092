package forker

import (
	"net/netip"
	"time"
)

// stream is one m-line: a pair of ports towards either side, a flow from each.
type stream struct {
	legs  [2]leg  // by Side
	flows [2]flow // by Flow; what legs[SideA] sends is flows[AB]
}

// newStream attaches the four sockets of two pairs to a new stream.
func newStream(r *Relay, pairs [2]*portPair) (*stream, error) {
	s := &stream{}
	for side, pair := range pairs {
		s.open(r, Side(side), pair)
	}
	for side := range s.legs {
		if err := s.attach(r, Side(side)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// open gives a side a pair of ports, and nobody behind it yet.
func (s *stream) open(r *Relay, side Side, pair *portPair) {
	l := &s.legs[side]
	*l = leg{side: side, pair: pair}
	l.media.shun(pair.shunned)
	l.control.shun(pair.shunned)
	l.media.anywhere = r.engine.anywhere.Load()
}

// attach has what arrives at a side's pair go its way.
func (s *stream) attach(r *Relay, side Side) error {
	media := &route{relay: r, from: &s.legs[side], to: &s.legs[1-side], flow: &s.flows[side]}
	control := *media
	control.control = true
	return s.legs[side].pair.attach(media, &control)
}

// leg is a stream's side: our ports towards it and the party there.
type leg struct {
	side    Side
	pair    *portPair
	remote  Remote
	media   latch // RTP, or opaque datagrams
	control latch // RTCP on its own port
	via     controlPath
	srtp    *ending // where SRTP ends; nil: it passes, or there is none
	ended   *ending // srtp, kept while the party sends in clear
}

// controlPath is how a party has been seen to send its RTCP.
type controlPath uint8

const (
	viaUnknown controlPath = iota
	viaOwnPort
	viaMux
)

// set takes over what the side's SDP says and tells whether the party is on
// another host now.
func (l *leg) set(r Remote) (moved bool) {
	if r.Disabled {
		r.RTP, r.RTCP = netip.AddrPort{}, netip.AddrPort{}
	}
	if !r.RTCP.IsValid() && r.RTP.IsValid() {
		r.RTCP = netip.AddrPortFrom(r.RTP.Addr(), r.RTP.Port()+1)
		if r.Mux {
			r.RTCP = r.RTP
		}
	}
	r.RTP, r.RTCP, r.Source = unmap(r.RTP), unmap(r.RTCP), r.Source.Unmap()
	if r.Mux != l.remote.Mux || r.RTP != l.remote.RTP || r.RTCP != l.remote.RTCP {
		l.via = viaUnknown
	}
	before := l.media.signalled.Addr()
	l.remote = r
	l.media.set(r.RTP, r.Sends, r.Source)
	l.control.set(r.RTCP, r.Sends, r.Source)
	return before.IsValid() && before != l.media.signalled.Addr()
}

func (l *leg) heardControl(muxed bool) {
	l.via = viaOwnPort
	if muxed {
		l.via = viaMux
	}
}

// destination is the socket and address that reach the party. RTCP goes the
// way its own comes, else as SDP says: an offer of rtcp-mux alone does not
// mean that the answer took it (RFC 5761 §5.1.1), and then its address is another.
func (l *leg) destination(control bool) (socket, netip.AddrPort) {
	if control && !l.shares() {
		return l.pair.rtcp, l.control.target()
	}
	return l.pair.rtp, l.media.target()
}

// shares tells whether the party gets its RTCP where its RTP goes.
func (l *leg) shares() bool {
	return l.remote.Mux && (l.via == viaMux || l.via == viaUnknown && l.remote.RTCP == l.remote.RTP)
}

func unmap(a netip.AddrPort) netip.AddrPort {
	if !a.IsValid() {
		return a
	}
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// stats is the snapshot of one flow: what this leg sends.
func (l *leg) stats(f *flow, at func(int64) time.Time) FlowStats {
	c := &f.counts
	s := FlowStats{
		Packets: c.packets, Octets: c.octets, RTCP: c.rtcp,
		Strangers: c.strangers, Early: c.early, Unroutable: c.unroutable, SendErrors: c.failures, Excess: c.excess,
		Forged: c.forged, Replayed: c.replayed, Unkeyed: c.unkeyed,
		Last: at(f.lastRTP), Remote: l.remote.RTP, Latched: l.media.locked,
	}
	if l.media.locked {
		s.Remote = l.media.remote
	}
	return s
}
