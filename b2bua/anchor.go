package b2bua

import (
	"net/netip"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
)

const sdpType = "application/sdp"

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
// message of side from; all else of the body stays byte for byte. An m-line
// for which there are no ports is disabled, for media must not pass us by, and so is
// one of an offer whose media we could not send to where it wants them. The
// SDP is the answer to answers, an offer when that is nil.
func (c *Call) anchorBody(m *sip.Message, method string, from side, answers *sdp.Session) *sip.Message {
	if len(m.Body) == 0 || !negotiates(method) {
		return m
	}
	return body.Replace(m, sdpType, func(raw []byte) []byte {
		s, err := sdp.Parse(raw)
		if err != nil {
			return raw
		}
		to := other(from)
		for i, m := range s.Media() {
			if !m.UDP() {
				continue
			}
			rtp, rtcp := c.relay.Local(to, i)
			if !rtp.IsValid() || answers == nil && c.aground(from, i, m) {
				rtp = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
			}
			m.Anchor(rtp, rtcp)
			c.security.dress(to, i, m, answers, c.media.said[to])
			if c.rewrites() {
				s.SetOriginAddr(rtp.Addr())
				s.SetUnusedConn(rtp.Addr())
			}
		}
		c.indicate(to, s)
		return s.Bytes()
	})
}
