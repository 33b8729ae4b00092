package sdp

import "net/netip"

// Offer is a description that we originate: an offer, or our answer to one.
type Offer struct {
	Username  string // of the o= line; "" is written as "-"
	SessionID uint64 // cut to 63 bits (RFC 3264 §5)
	Version   uint64 // raised by one at each changed description
	Addr      netip.Addr
	Media     []OfferMedia
}

// OfferMedia is one m= section of an Offer.
type OfferMedia struct {
	Kind, Proto string // "" is written as audio and RTP/AVP
	Port        int    // 0: disabled
	RTCPPort    int    // written as a=rtcp when it is neither 0 nor Port+1
	Formats     []Format
	RawFormats  []string // m= formats of a section that is not RTP, used without Formats
	Direction   Direction
	Label       string
	Ptime       string
	Extra       []string // further attributes, without "a="
}

// Bytes writes the description with CRLF, lines in the order v o s c t m.
func (o Offer) Bytes() []byte { return nil }
