package src

import (
	"fmt"
	"net/netip"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/metadata"
)

// stream is one m-line of the recording session: one direction of one audio
// m-line of the call (RFC 7866 §8.3). Its place among the m-lines is its index
// in Session.streams and never changes (RFC 3264 §8).
type stream struct {
	// Set once.
	label string // a=label, and the label of its metadata
	party metadata.PartyRole
	kind  string // audio, video or text
	index int    // m-line of the call
	flow  forker.Flow

	// What the call does.
	payloads
	extensions headerExtensions
	ptime      string
	voice      [2]map[uint8]forker.Codec // of a mix: the parties' payload types, by forker.Flow
	gone       bool                      // the call has no such direction now, or encrypts it
	leaving    bool                      // it has none, but what is kept of it is still to be sent: see parting.go
	held       bool                      // the m-line was put on hold
	secret     bool                      // the call encrypts it, or has

	// What the SRS has agreed to.
	refused  bool // it answered with port 0, or with nothing usable
	waits    bool // it said inactive of its own accord: it will say when (RFC 7866 §7.2)
	agreed   bool // by the last exchange we may send
	forced   bool // we send although the last exchange is missing: see Session.force
	rtp      netip.AddrPort
	rtcp     netip.AddrPort
	answered map[uint8]uint8 // the call's payload type → the SRS's; what the tap works by
	asked    carried         // with what answered was composed
	theirs   map[uint8]uint8 // payload type of our description → the SRS's
	crypt    crypt

	// The copy.
	tap       *forker.Tap      // nil while there is none
	paused    bool             // the tap is paused: what comes is dropped
	withheld  bool             // and what is kept does not leave either
	masked    bool             // the tap is masked: what comes is sent as silence or beeps
	open      bool             // the tap has an address: what comes is sent, else it is kept for later
	fresh     bool             // rtp, rtcp or answered changed since the tap was told
	unsettled bool             // the call has another codec than the SRS knows of: the tap keeps until it does
	past      *forker.TapStats // of earlier taps; nil: there were none
	gaps      gaps             // when nothing was copied

	risk       uint64 // packets at risk with lost SRSs, as far as they are among the gaps
	lostBefore uint64 // packets lost when the SRS was lost
}

// fork makes the tap. What is to be kept from it from its first packet on has it
// begin paused: what came before steer could pause it would be kept, and leave.
func (st *stream) fork(relay *forker.Relay, cfg forker.TapConfig) error {
	cfg.Label = st.label
	tap, err := st.tapOf(relay, cfg)
	if err != nil {
		return fmt.Errorf("copying m-line %d of the %s: %w", st.index+1, st.party, err)
	}
	st.tap, st.paused, st.withheld, st.masked, st.open = tap, cfg.Paused, false, false, false
	tap.SetCodecs(st.codecs())
	tap.SetExtensions(st.extensions.numbers)
	st.introduce()
	return nil
}

func (st *stream) tapOf(relay *forker.Relay, cfg forker.TapConfig) (*forker.Tap, error) {
	if st.party == metadata.Both {
		return relay.ForkMixed(st.index, cfg)
	}
	return relay.Fork(st.index, st.flow, cfg)
}

// listen takes what the parties of a mix speak now. What is offered does not change
// with it.
func (st *stream) listen(m metadata.MediaStream) {
	for flow, f := range map[forker.Flow]metadata.Flow{forker.AB: m.Caller, forker.BA: m.Callee} {
		st.voice[flow] = map[uint8]forker.Codec{}
		for _, c := range f.Formats {
			if c.Name != "" && c.Clock > 0 && c.PT <= 127 {
				st.voice[flow][c.PT] = forker.Codec{Name: c.Name, Clock: c.Clock, Channels: c.Channels}
			}
		}
	}
	st.introduce()
}

// introduce tells the tap of a mix who speaks what.
func (st *stream) introduce() {
	if st.tap != nil && st.party == metadata.Both {
		st.tap.SetVoice(forker.AB, st.voice[forker.AB])
		st.tap.SetVoice(forker.BA, st.voice[forker.BA])
	}
}

// forget takes back all that an SRS agreed to, for it has been lost: what comes
// is kept for the next one.
func (st *stream) forget() {
	st.refused, st.waits, st.agreed, st.forced, st.unsettled, st.fresh = false, false, false, false, false, false
	st.rtp, st.rtcp = netip.AddrPort{}, netip.AddrPort{}
	st.answered, st.theirs, st.extensions.taken = nil, nil, nil
	st.crypt = crypt{}
}

// numbers are those of the stream over all of its taps.
func (st *stream) numbers() forker.TapStats {
	var all forker.TapStats
	if st.past != nil {
		all = *st.past
	}
	if st.tap != nil {
		all = sum(all, st.tap.Stats())
	}
	return all
}

// closeTap ends the copy and keeps its numbers.
func (st *stream) closeTap() {
	if st.tap == nil {
		return
	}
	st.tap.Close()
	past := st.numbers()
	st.past = &past
	st.tap, st.agreed, st.forced, st.rtp = nil, false, false, netip.AddrPort{}
}

// section is the stream's m-line in a description of ours.
func (st *stream) section(sending bool) sdp.OfferMedia {
	m := sdp.OfferMedia{
		Kind: st.kind, Proto: "RTP/AVP", Formats: st.formats, Label: st.label, Ptime: st.ptime, Direction: sdp.Inactive,
	}
	if st.gone || st.tap == nil {
		m.Formats, m.Ptime = st.formats[:1], "" // an m-line needs a format, also when it is disabled
		st.crypt.dress(&m)
		return m
	}
	st.crypt.dress(&m)
	from, fromRTCP := st.tap.Local()
	m.Port, m.RTCPPort, m.Extensions = int(from.Port()), int(fromRTCP.Port()), st.extensions.offered
	if sending {
		m.Direction = sdp.SendOnly
	}
	return m
}

// agree takes what the SRS says of the m-line: in an answer to our offer o, or
// in an offer of its own. wanted tells whether we asked to send.
func (st *stream) agree(a sdp.AnswerMedia, o carried, wanted bool) {
	st.forced, st.unsettled = false, false
	if !a.Accepted {
		st.refused, st.agreed = true, false
		return
	}
	st.refused = false
	nowhere := a.RTP.Addr().IsUnspecified() // hold as RFC 2543 knew it; at first an SRS that does not know yet where to
	switch {
	case a.Direction != sdp.Inactive && !(nowhere && st.rtp.IsValid()):
		st.waits = false
	case wanted: // inactive in answer to inactive is courtesy, not a wish
		st.waits = true
	}
	st.agreed = a.Send
	if nowhere {
		st.agreed = false
		return
	}
	st.rtp, st.rtcp = a.RTP, a.RTCP
	st.crypt.agree(a)
	st.asked, st.theirs, st.extensions.taken = o, a.PT, a.Extensions
	st.answered, st.fresh = st.live(o, a.PT), true
}

// may tells whether packets may go to the SRS by what it agreed to.
func (st *stream) may() bool {
	return st.tap != nil && !st.refused && !st.waits && (st.agreed || st.forced) && st.rtp.IsValid() && st.crypt.ready()
}

// untold tells whether the SRS has never said anything of the stream as it is now.
func (st *stream) untold() bool { return !st.refused && !st.rtp.IsValid() }

// unanswered tells whether nothing but a missing answer to our own last offer keeps
// the stream from being sent; muted, whether we know where it would go.
func (st *stream) unanswered() bool {
	return st.tap != nil && !st.refused && !st.waits && (!st.agreed || st.unsettled)
}

func (st *stream) muted() bool { return st.unanswered() && st.rtp.IsValid() }

// repeat is the answer to m that changes nothing of what the SRS said before.
func (st *stream) repeat(m sdp.OfferMedia) sdp.AnswerMedia {
	a := sdp.AnswerMedia{
		Accepted: m.Port != 0 && st.rtp.IsValid() && !st.refused, Reason: "not described by the SRS",
		RTP: st.rtp, RTCP: st.rtcp, PT: st.theirs, Extensions: st.extensions.taken, Own: st.crypt.own, Theirs: st.crypt.theirs, Direction: sdp.RecvOnly, Send: m.Direction.Sends() && !st.waits,
	}
	if st.waits {
		a.Direction = sdp.Inactive
	}
	return a
}

// steer makes the tap do what is wanted and allowed. A pause takes hold before
// anything else is touched: of what is said after steer has returned nothing
// leaves; what was said before and is still kept does, as long as the SRS has
// agreed to hear us, unless it is to be withheld as long as the pause lasts. What
// is wanted while it has not, or not again, is kept.
func (st *stream) steer(wanted, withhold bool) {
	if st.tap == nil {
		return
	}
	run := wanted && !st.refused && !st.waits
	switch {
	case run:
	case withhold && !st.withheld:
		st.tap.Withhold()
		st.paused, st.withheld = true, true
	case !withhold && (!st.paused || st.withheld):
		st.tap.Pause()
		st.paused, st.withheld = true, false
	}
	open := st.may() && !st.unsettled
	if open && (st.fresh || !st.open) && st.tap.Seal(st.crypt.own, st.crypt.theirs) != nil {
		open = false // nothing leaves that is not protected as agreed
	}
	switch {
	case open && (st.fresh || !st.open):
		st.tap.TakeExtensions(st.extensions.taken)
		st.tap.SendTo(st.rtp, st.rtcp, st.answered)
		st.open, st.fresh = true, false
	case !open && st.open:
		st.tap.SendTo(netip.AddrPort{}, st.rtcp, st.answered)
		st.open = false
	}
	if run && st.paused {
		st.tap.Resume()
		st.paused, st.withheld = false, false
	}
}

// unsettle takes payload types out of the copy whose codec has changed under
// their number. While the SRS does not know the call's first codec nothing is
// sent, but kept until it has been told (RFC 3264 §8.3.2).
func (st *stream) unsettle() {
	for pt := range st.answered {
		now, then := st.carried.of(pt), st.asked.of(pt)
		if now != nil && (then == nil || !now.same(then)) {
			delete(st.answered, pt)
			st.fresh = true
		}
	}
	if st.tap != nil {
		st.tap.SetCodecs(st.codecs())
	}
	if first, ok := st.first(); ok && st.answered != nil {
		_, known := st.answered[first]
		st.unsettled = !known
	}
}

// show is what other goroutines see of it.
func (st *stream) show() shownStream {
	out := shownStream{
		label: st.label, party: st.party, past: st.past, tap: st.tap, masked: st.tap != nil && st.masked,
		paused: st.tap == nil || st.paused || st.rtp.IsValid() && !st.open,
	}
	if len(st.formats) > 0 {
		out.codec = &st.formats[0]
	}
	return out
}
