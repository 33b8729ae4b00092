package sdp

// Format is one RTP payload type.
type Format struct {
	PT              uint8
	Name            string // encoding name; "" when the description does not tell
	Clock, Channels int    // Hz; Channels is at least 1
	Fmtp            string
}

// RTP returns the section's payload types with what rtpmap, fmtp and RFC 3551
// tell about them. It is nil for a section that is not RTP.
func (m *Media) RTP() []Format { return nil }

// Negotiated returns what each side may send after an exchange.
func Negotiated(offer, answer *Media) (offererSends, answererSends []Format) { return nil, nil }
