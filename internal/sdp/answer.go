package sdp

import "net/netip"

// AnswerMedia is what a peer made of one of our offered sections.
type AnswerMedia struct {
	Accepted  bool
	Reason    string // why not Accepted
	Send      bool   // RTP may be sent now
	RTP, RTCP netip.AddrPort
	Direction Direction       // as the answer says, from the peer's view
	PT        map[uint8]uint8 // offered payload type → the answer's
	Section   int             // index of the answer's section, -1 if there is none
}

// MatchAnswer maps a recorder's answer to our offer.
func MatchAnswer(offer []OfferMedia, answer *Session) []AnswerMedia { return nil }
