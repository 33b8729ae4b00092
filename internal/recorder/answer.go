package recorder

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
)

// description is our side of the session's SDP.
type description struct {
	id, version uint64
	addr        netip.Addr
	media       []sdp.OfferMedia
	sent        []byte // as last sent
	exchanges   []exchange

	remote        []byte // the client's, as last received
	remoteVersion string
}

// exchange is one offer with its answer, for the report.
type exchange struct {
	At     float64 `json:"at"`
	Offer  string  `json:"offer"`
	Answer string  `json:"answer"`
	Ours   bool    `json:"ours,omitempty"` // the offer was ours; Answer is the client's
}

const maxExchanges = 100

// write returns our description; its version rises when it has changed (RFC 3264 §8).
func (d *description) write() []byte {
	o := sdp.Offer{Username: "recorder", SessionID: d.id, Version: d.version, Addr: d.addr, Media: d.media}
	b := o.Bytes()
	if d.sent != nil && !bytes.Equal(b, d.sent) {
		d.version++
		o.Version = d.version
		b = o.Bytes()
	}
	d.sent = b
	return b
}

func (d *description) remember(e exchange) {
	e.Offer, e.Answer = hideKeys(e.Offer), hideKeys(e.Answer)
	if len(d.exchanges) < maxExchanges {
		d.exchanges = append(d.exchanges, e)
	}
}

// answer makes the answer to an offer: each section recvonly, inactive or refused
// (RFC 7866 §7.2, RFC 3264 §6). Ports once given stay.
func (s *session) answer(c content) ([]byte, *refusal) {
	first := s.sdp.sent == nil
	s.checkOffer(c)
	if r := s.chooseAddress(c.sdp); r != nil {
		return nil, r
	}
	media := c.sdp.Media()
	sections := make([]sdp.OfferMedia, len(media))
	taken := false
	for i, m := range media {
		section, err := s.section(i, m)
		if first && errors.Is(err, errNoPorts) {
			return nil, refuse(503, err.Error(), sip.Header{Name: "Retry-After", Value: "10"})
		}
		if err != nil {
			s.problem(err.Error())
		}
		sections[i] = section
		taken = taken || section.Port != 0
	}
	if first && !taken {
		return nil, refuse(488, "no section of the offer can be recorded: plain RTP, or SRTP with a key in a=crypto, is needed")
	}
	s.pauseMissing(len(media))
	s.sdp.media = sections
	b := s.sdp.write()
	s.sdp.remember(exchange{At: s.now().Seconds(), Offer: string(c.sdpBytes), Answer: string(b)})
	return b, nil
}

// section answers one section of an offer.
func (s *session) section(i int, m *sdp.Media) (sdp.OfferMedia, error) {
	for len(s.streams) <= i {
		s.streams = append(s.streams, nil)
	}
	refused := m.Refuse()
	refused.Label = m.Label()
	st := s.streams[i]
	if why := unusable(m); why != "" {
		if st != nil {
			st.setActive(false)
			st.disabled = true
		}
		if m.Port != 0 {
			s.problem(fmt.Sprintf("section %d refused: %s", i+1, why))
		}
		return refused, nil
	}
	if st != nil && st.replacedBy(m) {
		s.retired = append(s.retired, st)
		st = nil
	}
	if st == nil {
		var err error
		if st, err = s.open(i, m); err != nil {
			return refused, err
		}
	}
	cryptos, err := st.negotiate(m)
	if err != nil {
		return refused, err
	}
	s.follow(st, m)
	return sdp.OfferMedia{
		Cryptos: cryptos,
		Kind:    m.Kind, Proto: m.Proto, Port: int(st.local().Port()), Formats: m.RTP(),
		Direction: s.direction(st), Label: m.Label(),
	}, nil
}

// unusable says why a section cannot be received, "" when it can.
func unusable(m *sdp.Media) string {
	switch {
	case m.Port == 0:
		return "port 0"
	case !m.IsRTP():
		return m.Proto + " is not RTP"
	case m.Secure() && !keyed(m):
		return m.Proto + " is encrypted, and no a=crypto has a key that can be used"
	case len(m.RTP()) == 0:
		return "no payload type"
	}
	return ""
}

// follow takes over what a section says about its stream.
func (s *session) follow(st *stream, m *sdp.Media) {
	if l := m.Label(); l != "" && l != st.label {
		s.problem(fmt.Sprintf("label of section %d changed from %q to %q", st.index+1, st.label, l))
	}
	if changed := st.learn(m.RTP()); changed != "" {
		s.problem("SDP-23: " + changed)
	}
	media, _ := m.Addr()
	rtcp, _ := m.RTCP()
	s.expect(st, media, rtcp)
	st.disabled = false
	st.setActive(m.Direction().Sends())
}

func (s *session) direction(st *stream) sdp.Direction {
	if st.active {
		return sdp.RecvOnly
	}
	return sdp.Inactive
}

// open makes the stream of a section.
func (s *session) open(i int, m *sdp.Media) (*stream, error) {
	if len(s.openStreams()) >= maxStreams {
		return nil, fmt.Errorf("section %d refused: more than %d streams", i+1, maxStreams)
	}
	rtp, rtcp, err := s.server.ports.open(s.bindAddress())
	if err != nil {
		return nil, err
	}
	label := m.Label()
	if label == "" {
		label = fmt.Sprintf("m%d", i+1)
		s.problem(fmt.Sprintf("SDP-03: section %d has no label, recorded as %s", i+1, label))
	}
	for _, other := range s.openStreams() {
		if other.label == label && !other.disabled {
			s.problem(fmt.Sprintf("SDP-05: label %q stands at more than one section", label))
		}
	}
	st := newStream(i, m.Kind, label, rtp, rtcp, s.epoch)
	st.ssrc = rand.Uint32()
	st.trouble = s.trouble
	st.track.cfg = trackConfig{
		start: s.epoch, local: netip.AddrPortFrom(s.sdp.addr, st.local().Port()),
		file: s.fileOf(st, s.names.take(label)),
	}
	s.streams[i] = st
	if s.sdp.sent != nil { // added to a running session
		st.start()
	}
	return st, nil
}

// pauseMissing stops the streams whose sections a faulty offer leaves out.
func (s *session) pauseMissing(sections int) {
	if sections < len(s.streams) {
		s.problem("SDP-07: an offer with fewer sections than before")
	}
	for i := sections; i < len(s.streams); i++ {
		if s.streams[i] != nil {
			s.streams[i].setActive(false)
		}
	}
}

// checkOffer holds an offer against the one before.
func (s *session) checkOffer(c content) {
	version := c.sdp.Origin().Version
	if s.sdp.remote != nil && !bytes.Equal(s.sdp.remote, c.sdpBytes) && version == s.sdp.remoteVersion {
		s.problem("SDP-20: the SDP changed but its o= version did not")
	}
	s.sdp.remote, s.sdp.remoteVersion = c.sdpBytes, version
}

// chooseAddress decides once which address of ours goes into our SDP: of the
// family that the client's media have.
func (s *session) chooseAddress(offer *sdp.Session) *refusal {
	if s.sdp.addr.IsValid() {
		return nil
	}
	peer := s.dialog.Flow.Remote.Addr().Unmap()
	for _, m := range offer.Media() {
		if a, ok := m.Addr(); ok && !a.Addr().IsUnspecified() {
			peer = a.Addr()
			break
		}
	}
	if a, ok := s.server.cfg.advertised(peer); ok {
		s.sdp.addr = a
		return nil
	}
	if l := s.dialog.Flow.Listener; l != nil {
		if a := l.Bound.Addr().Unmap(); a.Is4() == peer.Is4() && !a.IsUnspecified() {
			s.sdp.addr = a
			return nil
		}
	}
	a, err := routeAddress(peer)
	if err != nil {
		return refuse(488, "no address of ours reaches "+peer.String())
	}
	s.sdp.addr = a
	return nil
}

// bindAddress is what media sockets are bound to: the listener's own address where
// it has one of the right family, else any.
func (s *session) bindAddress() netip.Addr {
	if l := s.dialog.Flow.Listener; l != nil && l.Bound.Addr().Unmap() == s.sdp.addr {
		return s.sdp.addr
	}
	if s.sdp.addr.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// routeAddress is the address from which packets to peer leave. No packet is sent.
func routeAddress(peer netip.Addr) (netip.Addr, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(peer, 9)))
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	a := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
	if a.IsUnspecified() {
		return a, errors.New("no route")
	}
	return a, nil
}
