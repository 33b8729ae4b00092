package src

import (
	"slices"
	"strings"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/metadata"
)

// payloads numbers the codecs of one m-line of the recording session. A number
// keeps its codec for as long as the m-line exists (RFC 3264 §8.3.2), even if
// the call gives that number to another codec later.
type payloads struct {
	used      map[uint8]sdp.Format // every number ever offered on this m-line
	transcode Transcode

	formats []sdp.Format         // to be offered now, in the call's order
	pt      map[uint8]uint8      // the call's payload type → ours
	codec   map[uint8]sdp.Format // the call's payload type → its codec
}

// follow takes what the call carries now in this direction. Formats that
// nobody has described are left out: they cannot be offered. It reports
// whether the offer has changed.
func (p *payloads) follow(formats []metadata.Format) (changed bool) {
	before := p.formats
	p.formats, p.pt, p.codec = nil, map[uint8]uint8{}, map[uint8]sdp.Format{}
	taken := map[uint8]bool{}
	for _, f := range formats {
		if f.Name == "" || f.Clock <= 0 || f.PT > 127 {
			continue
		}
		codec := sdp.Format{PT: f.PT, Name: f.Name, Clock: f.Clock, Channels: max(f.Channels, 1), Fmtp: f.Fmtp}
		p.codec[f.PT] = codec
		if !p.transcode.offers(codec) {
			continue
		}
		codec.PT = p.number(codec, taken)
		taken[codec.PT] = true
		p.pt[f.PT] = codec.PT
		p.formats = append(p.formats, codec)
	}
	for _, codec := range p.transcode.added(formats) {
		from := codec.PT
		p.codec[from] = codec
		codec.PT = p.number(codec, taken)
		taken[codec.PT] = true
		p.pt[from] = codec.PT
		p.formats = slices.Insert(p.formats, p.audio(), codec)
	}
	return !sameFormats(before, p.formats)
}

// audio is how many codecs come before what goes beside them.
func (p *payloads) audio() int {
	for i, f := range p.formats {
		if f.Aux() {
			return i
		}
	}
	return len(p.formats)
}

// number finds the payload type for a codec: the one it had, the call's own,
// or a free dynamic one (RFC 3551 §3).
func (p *payloads) number(codec sdp.Format, taken map[uint8]bool) uint8 {
	if p.used == nil {
		p.used = map[uint8]sdp.Format{}
	}
	had := func(pt uint8) bool {
		was, ok := p.used[pt]
		return ok && !taken[pt] && sameCodec(was, codec)
	}
	if had(codec.PT) {
		return codec.PT
	}
	lowest := -1
	for pt := range p.used {
		if had(pt) && (lowest < 0 || int(pt) < lowest) {
			lowest = int(pt)
		}
	}
	if lowest >= 0 {
		return uint8(lowest)
	}
	free := func(pt uint8) bool {
		_, ok := p.used[pt]
		return !ok && !taken[pt]
	}
	pt := codec.PT
	for try := uint8(127); !free(pt) && try >= 96; try-- {
		if free(try) {
			pt = try
		}
	}
	p.used[pt] = codec
	return pt
}

// first is the call's payload type of its first codec.
func (p *payloads) first() (uint8, bool) {
	if len(p.formats) == 0 {
		return 0, false
	}
	for cs, ours := range p.pt {
		if ours == p.formats[0].PT {
			return cs, true
		}
	}
	return 0, false
}

// codecs gives the codec of each payload type of the call.
func (p *payloads) codecs() map[uint8]forker.Codec {
	out := make(map[uint8]forker.Codec, len(p.codec))
	for pt, f := range p.codec {
		out[pt] = forker.Codec{Name: f.Name, Clock: f.Clock, Channels: f.Channels}
	}
	return out
}

// offered is the numbering at the moment of an offer: the answer must be read
// with it, whatever the call has changed since.
type offered struct {
	pt    map[uint8]uint8
	codec map[uint8]sdp.Format
}

func (p *payloads) snapshot() offered {
	return offered{pt: p.pt, codec: p.codec} // follow makes new ones
}

// live composes the call's payload types with those of an answer. What has
// another codec now than when it was offered is left out until the next offer
// has told the SRS (RFC 3264 §8.3.2).
func (p *payloads) live(o offered, answer map[uint8]uint8) map[uint8]uint8 {
	out := make(map[uint8]uint8, len(o.pt))
	for cs, ours := range o.pt {
		theirs, ok := answer[ours]
		if now, still := p.codec[cs]; ok && (!still || sameCodec(now, o.codec[cs])) {
			out[cs] = theirs
		}
	}
	return out
}

func sameCodec(a, b sdp.Format) bool {
	return strings.EqualFold(a.Name, b.Name) && a.Clock == b.Clock && max(a.Channels, 1) == max(b.Channels, 1)
}

func sameFormats(a, b []sdp.Format) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].PT != b[i].PT || a[i].Fmtp != b[i].Fmtp || !sameCodec(a[i], b[i]) {
			return false
		}
	}
	return true
}
