package b2bua

import (
	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/metadata"
)

const sdpType = "application/sdp"

// negotiation is the offer/answer state of a call (RFC 3264, RFC 6337). There
// is one for both legs, because every offer crosses to the other side.
type negotiation struct {
	said    [2]*sdp.Session // by side: the description in force
	offer   *sdp.Session    // waits for its answer
	offerer side
	carrier *exchange // the exchange that carries offer
	changed bool      // the recorder has not been told yet
}

// request takes the SDP of a request: an answer when the other side's offer is
// open (in PRACK, RFC 3262 §5), else an offer. It reserves ports for it.
func (n *negotiation) request(c *Call, x *exchange, m *sip.Message) error {
	s := sdpOf(m)
	if s == nil {
		return nil
	}
	if n.offer != nil && n.offerer != x.from {
		n.commit(c, n.offer, n.offerer, s)
		n.offer = nil
		return nil
	}
	if err := c.relay.SetStreams(len(s.Media())); err != nil {
		return err
	}
	x.offer = s
	n.open(s, x.from, x)
	if n.said[sideA] == nil && n.said[sideB] == nil {
		// Early media must reach the offerer before there is an answer.
		for i, m := range s.Media() {
			c.relay.SetRemote(x.from, i, remoteOf(m, m.Direction().Sends()))
		}
	}
	return nil
}

// response takes the SDP of a response: the answer to the request's offer, or
// an offer when the request had none. firm says that it will not be replaced
// by the SDP of a later response (RFC 3261 §13.2.1).
func (n *negotiation) response(c *Call, x *exchange, m *sip.Message, firm bool) {
	s := sdpOf(m)
	if s == nil {
		return
	}
	if x.offer != nil {
		n.commit(c, x.offer, x.from, s)
		if firm && n.carrier == x {
			n.offer = nil
		}
		return
	}
	if err := c.relay.SetStreams(len(s.Media())); err != nil {
		c.log.Error("no media ports for the far side's offer", "error", err)
		return
	}
	x.counter = s
	n.open(s, other(x.from), x)
}

// ack takes the SDP of an ACK: the answer to the offer in the 2xx.
func (n *negotiation) ack(c *Call, x *exchange, m *sip.Message) {
	s := sdpOf(m)
	if s == nil || x.counter == nil {
		return
	}
	n.commit(c, x.counter, other(x.from), s)
	if n.carrier == x {
		n.offer = nil
	}
}

func (n *negotiation) open(s *sdp.Session, from side, x *exchange) {
	n.offer, n.offerer, n.carrier = s, from, x
}

// rollback drops the open offer of an exchange that failed; what was agreed
// before stays in force (RFC 3261 §14.1).
func (n *negotiation) rollback(c *Call, x *exchange) {
	if n.carrier == x {
		n.offer, n.carrier = nil, nil
	}
}

// blocks tells whether a new offer of side s must wait for an open one, and
// whether that is its own.
func (n *negotiation) blocks(s side) (blocked, own bool) {
	return n.offer != nil, n.offer != nil && n.offerer == s
}

// commit puts a pair of descriptions in force.
func (n *negotiation) commit(c *Call, offer *sdp.Session, offerer side, answer *sdp.Session) {
	n.said[offerer], n.said[other(offerer)] = offer, answer
	n.changed = true
	a, b := n.said[sideA].Media(), n.said[sideB].Media()
	for i := range min(len(a), len(b)) {
		c.relay.SetRemote(sideA, i, remoteOf(a[i], sends(a[i], b[i])))
		c.relay.SetRemote(sideB, i, remoteOf(b[i], sends(b[i], a[i])))
	}
}

// sends tells whether the party of m sends to the party of peer.
func sends(m, peer *sdp.Media) bool {
	return m.Port != 0 && peer.Port != 0 && m.Direction().Sends() && peer.Direction().Recvs()
}

func remoteOf(m *sdp.Media, sends bool) forker.Remote {
	r := forker.Remote{Disabled: m.Port == 0, Sends: sends, RTPKind: len(m.RTP()) > 0, Mux: m.Mux()}
	if addr, ok := m.Addr(); ok {
		r.RTP = addr
	}
	if addr, ok := m.RTCP(); ok {
		r.RTCP = addr
	}
	return r
}

// sdpOf is the session description of a message, nil without one that can be
// read: what cannot be read passes untouched and is not recorded.
func sdpOf(m *sip.Message) *sdp.Session {
	if len(m.Body) == 0 {
		return nil
	}
	part, ok := body.Find(m, sdpType)
	if !ok {
		return nil
	}
	s, err := sdp.Parse(part.Body)
	if err != nil {
		return nil
	}
	return s
}

// anchorBody puts our addresses towards the other side into the SDP of a
// message of side from; all else of the body stays byte for byte.
func (c *Call) anchorBody(m *sip.Message, from side) *sip.Message {
	if len(m.Body) == 0 {
		return m
	}
	return body.Replace(m, sdpType, func(raw []byte) []byte {
		s, err := sdp.Parse(raw)
		if err != nil || c.relay.SetStreams(len(s.Media())) != nil {
			return raw
		}
		to := other(from)
		for i, m := range s.Media() {
			if !m.UDP() {
				continue
			}
			rtp, rtcp := c.relay.Local(to, i)
			m.Anchor(rtp, rtcp)
			if c.srv.cfg.Identity == IdentityRewrite {
				s.SetOriginAddr(rtp.Addr())
			}
		}
		return s.Bytes()
	})
}

// snapshot is the call as its recorder sees it.
func (c *Call) snapshot() metadata.Snapshot {
	s := metadata.Snapshot{
		ID: c.id, SIPCallID: c.in.CallID, SessionID: sessionID(c.invite, c.initial.accepted),
		Caller:  metadata.Party{AOR: c.in.From.URI, Name: c.in.From.Display},
		Callee:  metadata.Party{AOR: c.in.To.URI, Name: c.in.To.Display},
		Started: c.started, Answered: c.answered, Ended: c.ended,
		State: metadata.CallEarly, Reasons: c.verdict.reasons,
	}
	switch {
	case !c.ended.IsZero():
		s.State = metadata.CallEnded
	case !c.answered.IsZero():
		s.State = metadata.CallAnswered
	}
	if c.media.said[sideA] == nil || c.media.said[sideB] == nil {
		return s
	}
	a, b := c.media.said[sideA].Media(), c.media.said[sideB].Media()
	for i := range min(len(a), len(b)) {
		s.Streams = append(s.Streams, streamOf(i, a[i], b[i]))
	}
	return s
}

func streamOf(i int, a, b *sdp.Media) metadata.MediaStream {
	callerSends, calleeSends := sdp.Negotiated(a, b)
	return metadata.MediaStream{
		Index: i, Kind: a.Kind, Secure: a.Secure() || b.Secure(),
		Caller: metadata.Flow{Formats: formats(callerSends), Sends: sends(a, b), Ptime: attr(b, "ptime")},
		Callee: metadata.Flow{Formats: formats(calleeSends), Sends: sends(b, a), Ptime: attr(a, "ptime")},
	}
}

func attr(m *sdp.Media, name string) string {
	v, _ := m.Attr(name)
	return v
}

func formats(in []sdp.Format) []metadata.Format {
	out := make([]metadata.Format, len(in))
	for i, f := range in {
		out[i] = metadata.Format{PT: f.PT, Name: f.Name, Clock: f.Clock, Channels: f.Channels, Fmtp: f.Fmtp}
	}
	return out
}
