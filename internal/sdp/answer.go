package sdp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sidetrack/internal/srtp"
)

// AnswerMedia is what a peer made of one of our offered sections.
type AnswerMedia struct {
	Accepted bool
	Reason   string // why it is not Accepted
	// Send tells whether RTP may be sent now: Accepted, offered as sending, an
	// address that is not zero, and an answer that is not inactive. An answer
	// of sendonly to our sendonly is a recorder's slip and no refusal.
	Send      bool
	RTP, RTCP netip.AddrPort  // where to; valid when Accepted
	Direction Direction       // as the answer says, from the peer's view
	PT        map[uint8]uint8 // offered payload type → the answer's, for the formats taken
	Section   int             // index of the answer's section, -1 if there is none

	Extensions []uint8 // identifiers of the offered header extensions that were taken

	// Where keys were offered: the tag and ours of the suite that was chosen, and
	// the peer's.
	Tag         int
	Own, Theirs *srtp.Key
}

// MatchAnswer tells for each section that we offered what the answer makes of
// it. It expects the mistakes that recorders make: too few or too many sections,
// formats and attributes that were not offered, another direction, renumbered
// payload types.
//
// Sections belong together by position (RFC 3264 §6). The one exception are
// labels (RFC 4574): when each section of the answer carries a label that we
// offered and no label comes twice, they are followed. Such an answer differs
// from the position only when the peer sorted or left out sections, and then
// the position would put one party's voice under the other's name. A peer that
// numbers by itself, repeats labels or labels only some, is read by position.
func MatchAnswer(offer []OfferMedia, answer *Session) []AnswerMedia {
	return match(offer, answer, answeredKey)
}

// MatchOffer is MatchAnswer for an offer of the peer within the session: which
// of our sections its sections belong to. Of the keys that it offers the first
// one of our suite is chosen.
func MatchOffer(ours []OfferMedia, theirs *Session) []AnswerMedia {
	return match(ours, theirs, offeredKey)
}

func match(offer []OfferMedia, answer *Session, key func(OfferMedia, *Media) (keys, bool)) []AnswerMedia {
	sections := arrange(offer, answer)
	out := make([]AnswerMedia, len(offer))
	for i, o := range offer {
		out[i] = AnswerMedia{Section: sections[i]}
		if sections[i] < 0 {
			out[i].Reason = "no section in the answer"
			continue
		}
		out[i].read(o, answer.media[sections[i]], key)
	}
	return out
}

// arrange finds for each offered section the index of the answer's, or -1.
func arrange(offer []OfferMedia, answer *Session) []int {
	sections := make([]int, len(offer))
	for i := range sections {
		sections[i] = -1
	}
	if answer == nil {
		return sections
	}
	if byLabel := labelIndex(offer, answer.media); byLabel != nil {
		for j, i := range byLabel {
			sections[i] = j
		}
		return sections
	}
	for i := range min(len(sections), len(answer.media)) {
		sections[i] = i
	}
	return sections
}

// labelIndex returns for each answered section the offered one of its label,
// nil when labels are not to be followed.
func labelIndex(offer []OfferMedia, answer []*Media) []int {
	for i := range offer {
		if l := offer[i].Label; l == "" || labelled(offer, l) < i {
			return nil
		}
	}
	index := make([]int, 0, len(answer))
	for _, m := range answer {
		i := labelled(offer, m.Label())
		if i < 0 || slices.Contains(index, i) {
			return nil
		}
		index = append(index, i)
	}
	return index
}

// labelled is the first section of that label, -1 if there is none.
func labelled(offer []OfferMedia, label string) int {
	for i := range offer {
		if offer[i].Label == label {
			return i
		}
	}
	return -1
}

// read fills in what the section m says to the offer o.
func (a *AnswerMedia) read(o OfferMedia, m *Media, key func(OfferMedia, *Media) (keys, bool)) {
	a.Direction = m.Direction()
	if a.Reason = refusal(o, m); a.Reason != "" {
		return
	}
	if a.PT = payloadMap(o.Formats, m.RTP()); a.PT == nil {
		a.Reason = "no common codec"
		return
	}
	if len(o.Cryptos) > 0 {
		k, ok := key(o, m)
		if !ok {
			a.Reason = "no a=crypto that was offered"
			return
		}
		a.Tag, a.Own, a.Theirs = k.tag, k.own, k.theirs
	}
	a.RTP, _ = m.Addr()
	a.RTCP = answeredRTCP(o, m, a.RTP)
	a.Extensions = taken(o.Extensions, m)
	a.Accepted = true
	sends := o.Direction == "" || o.Direction.Sends()
	a.Send = sends && a.Direction != Inactive && !a.RTP.Addr().IsUnspecified()
}

// refusal says why the section cannot be used, "" if it can.
func refusal(o OfferMedia, m *Media) string {
	kind, proto := o.Kind, o.Proto
	if kind == "" {
		kind = "audio"
	}
	if proto == "" {
		proto = "RTP/AVP"
	}
	switch {
	case o.Port == 0:
		return "disabled in the offer"
	case m.Port == 0:
		return "port 0"
	case m.Kind != strings.ToLower(kind):
		return fmt.Sprintf("%s answered to %s", m.Kind, kind)
	case profile(m.Proto) != profile(proto):
		// Never in clear what was offered encrypted, never ciphertext without
		// a key.
		return fmt.Sprintf("%s answered to %s", m.Proto, proto)
	}
	if _, ok := m.Addr(); !ok {
		return "no usable address"
	}
	return ""
}

// profile is a protocol without its feedback variant: AVP and AVPF understand
// each other (RFC 4585 §5), AVP and SAVP do not.
func profile(proto string) string {
	return strings.TrimSuffix(strings.ToUpper(proto), "F")
}

// payloadMap maps the payload types of the offer to the answer's. It is nil
// when no codec is common, events and noise alone being none.
func payloadMap(offer, answer []Format) map[uint8]uint8 {
	pt := make(map[uint8]uint8)
	codec := false
	for i, j := range pair(offer, answer) {
		if j >= 0 {
			pt[offer[i].PT] = answer[j].PT
			codec = codec || !offer[i].Aux()
		}
	}
	if !codec {
		return nil
	}
	return pt
}

// answeredRTCP is where RTCP goes: a=rtcp-mux counts only when we offered it
// (RFC 5761 §5.1.1).
func answeredRTCP(o OfferMedia, m *Media, rtp netip.AddrPort) netip.AddrPort {
	offered := slices.ContainsFunc(o.Extra, func(e string) bool { return strings.EqualFold(e, "rtcp-mux") })
	if offered && m.Mux() {
		return rtp
	}
	rtcp, _ := m.separateRTCP(rtp)
	return rtcp
}
