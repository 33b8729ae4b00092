package b2bua

import (
	"net/netip"
	"strings"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
)

const sdpType = "application/sdp"

// sdpOf is the session description of a message, nil without one that can be read.
func sdpOf(m *sip.Message) *sdp.Session {
	part, ok := sessionPart(m)
	if !ok {
		return nil
	}
	s, err := sdp.Parse(part.Body)
	if err != nil {
		return nil
	}
	return s
}

// sessionPart is the part of a body that describes the session: of several that of
// disposition session, which is also the default (RFC 5621 §8.2), never one of an
// early session (RFC 3959).
func sessionPart(m *sip.Message) (found body.Part, ok bool) {
	part, ok := body.Find(m, sdpType)
	if !ok || part.Headers == nil {
		return part, ok
	}
	ok = false
	for _, p := range body.Parts(m) {
		if p.ContentType != sdpType || len(p.Body) == 0 {
			continue
		}
		switch p.Disposition {
		case "", "session":
			return p, true
		case "early-session":
		default:
			if !ok {
				found, ok = p, true
			}
		}
	}
	return found, ok
}

const (
	errUnread  = unacceptable("the body has a session description that cannot be read")
	errPieces  = unacceptable("the body has more parts than are looked into")
	errEncoded = unacceptable("the body is encoded")
)

// described is sdpOf for who must see all media: it fails where a body has a session
// description that cannot be read. Media that we do not see would go past us, and past
// the recorder.
func described(m *sip.Message) (*sdp.Session, error) {
	if len(m.Body) == 0 {
		return nil, nil
	}
	kind := m.ContentType()
	multi := strings.HasPrefix(kind, "multipart/")
	switch {
	case !multi && kind != sdpType:
		return nil, nil
	case encoded(m.Get("Content-Encoding")) || encoded(m.Get("Content-Transfer-Encoding")):
		return nil, errEncoded
	case multi && !body.Whole(m):
		return nil, errPieces
	}
	if !multi {
		s, err := sdp.Parse(m.Body)
		if err != nil {
			return nil, errUnread
		}
		return s, nil
	}
	for _, p := range body.Parts(m) {
		if p.ContentType != sdpType || len(p.Body) == 0 {
			continue
		}
		for _, h := range p.Headers {
			if (h.Is("Content-Encoding") || h.Is("Content-Transfer-Encoding")) && encoded(h.Value) {
				return nil, errEncoded
			}
		}
		if _, err := sdp.Parse(p.Body); err != nil {
			return nil, errUnread
		}
	}
	return sdpOf(m), nil
}

// encoded tells whether a body with this Content-Encoding (RFC 3261 §20.12), or
// Content-Transfer-Encoding (RFC 2045 §6), is not what it looks like.
func encoded(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "", "identity", "binary", "8bit", "7bit":
		return false
	}
	return true
}

// anchorBody puts our addresses towards the other side into the SDP, each of
// several, of a message of ours for one of side from; all else of the body stays byte for byte. An m-line
// for which there are no ports is disabled, for media must not pass us by, and so is
// one of an offer whose media we could not send to where it wants them. The
// SDP is the answer to answers, an offer when that is nil. read is what has been read of it.
func (c *Call) anchorBody(m *sip.Message, method string, from side, answers, read *sdp.Session) {
	if len(m.Body) == 0 || !negotiates(method) {
		return
	}
	to, before := other(from), (*sdp.Session)(nil)
	if c.security.rule != nil {
		before = c.media.said.of(to)
	}
	body.Replace(m, sdpType, func(raw []byte) []byte {
		s := read
		if s != nil && len(raw) == len(m.Body) {
			s = s.Clone()
		} else if s, _ = sdp.Parse(raw); s == nil {
			return raw
		}
		for i, m := range s.Media() {
			if !m.UDP() {
				continue
			}
			rtp, rtcp := c.relay.Local(to, i)
			if !rtp.IsValid() || answers == nil && c.aground(from, i, m) {
				rtp = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
			}
			m.Anchor(rtp, rtcp)
			c.security.dress(to, i, m, answers, before)
			if c.rewrites() {
				s.SetOriginAddr(rtp.Addr())
				s.SetUnusedConn(rtp.Addr())
			}
		}
		c.indicate(to, s)
		return s.Bytes()
	})
}
