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
	former    []sdp.Format // every number that has been offered on this m-line, and is not now
	transcode Transcode

	call    []metadata.Format // what the call carries; not changed
	formats []sdp.Format      // to be offered now, in the call's order
	carried carried           // what the call carries, and our numbers for it
}

// carried are the call's payload types in one direction.
type carried []payload

// payload is a payload type of the call.
type payload struct {
	codec   *metadata.Format // with the call's number
	ours    uint8            // our number
	offered bool             // or there is none: it is not for the SRS
}

func (c carried) of(pt uint8) *payload {
	for i := range c {
		if c[i].codec.PT == pt {
			return &c[i]
		}
	}
	return nil
}

// same tells whether both have the same codec.
func (p *payload) same(o *payload) bool { return sameCodec(sdp.Format(*p.codec), sdp.Format(*o.codec)) }

// put adds a payload type, or changes what is known of it.
func (c *carried) put(p payload) {
	if had := c.of(p.codec.PT); had != nil {
		*had = p
		return
	}
	*c = append(*c, p)
}

// follow takes what the call carries now in this direction. Formats that
// nobody has described are left out: they cannot be offered. It reports
// whether the offer has changed.
func (p *payloads) follow(formats []metadata.Format) (changed bool) {
	if p.formats != nil && slices.Equal(formats, p.call) {
		return false
	}
	before := p.formats
	p.call, p.former = formats, slices.Concat(before, p.former)
	p.formats, p.carried = make([]sdp.Format, 0, len(formats)), make(carried, 0, len(formats)) // the former may be an offer's
	for i := range formats {
		f := &formats[i]
		if f.Name == "" || f.Clock <= 0 || f.PT > 127 {
			continue
		}
		if !copyable(*f) || !p.transcode.offers(sdp.Format(*f)) {
			p.carried.put(payload{codec: f})
			continue
		}
		p.formats = append(p.formats, p.carry(f))
	}
	for _, codec := range p.transcode.added(formats) {
		p.formats = slices.Insert(p.formats, p.audio(), p.carry((*metadata.Format)(&codec)))
	}
	p.former = slices.DeleteFunc(p.former, func(f sdp.Format) bool { return formatOf(p.formats, f.PT) != nil })
	return !sameFormats(before, p.formats)
}

// copyable is forker.Copyable.
func copyable(f metadata.Format) bool {
	return forker.Copyable(forker.Codec{Name: f.Name, Clock: f.Clock, Channels: f.Channels})
}

// carry numbers a codec of the call, and gives what is offered for it.
func (p *payloads) carry(f *metadata.Format) sdp.Format {
	codec := sdp.Format(*f)
	codec.PT, codec.Channels = p.number(codec), max(codec.Channels, 1)
	p.carried.put(payload{codec: f, ours: codec.PT, offered: true})
	return codec
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
// or a free dynamic one (RFC 3551 §3), that is not in this offer yet.
func (p *payloads) number(codec sdp.Format) uint8 {
	taken := func(pt uint8) bool { return formatOf(p.formats, pt) != nil }
	lowest := -1
	for _, had := range p.former {
		if taken(had.PT) || !sameCodec(had, codec) {
			continue
		}
		if had.PT == codec.PT {
			return codec.PT
		}
		if lowest < 0 || int(had.PT) < lowest {
			lowest = int(had.PT)
		}
	}
	if lowest >= 0 {
		return uint8(lowest)
	}
	free := func(pt uint8) bool { return formatOf(p.former, pt) == nil && !taken(pt) }
	pt := codec.PT
	for try := uint8(127); !free(pt) && try >= 96; try-- {
		if free(try) {
			pt = try
		}
	}
	return pt // when all have been used it has another codec from now on
}

func formatOf(formats []sdp.Format, pt uint8) *sdp.Format {
	for i := range formats {
		if formats[i].PT == pt {
			return &formats[i]
		}
	}
	return nil
}

// first is the call's payload type of its first codec.
func (p *payloads) first() (uint8, bool) {
	if len(p.formats) == 0 {
		return 0, false
	}
	for i := range p.carried {
		if c := &p.carried[i]; c.offered && c.ours == p.formats[0].PT {
			return c.codec.PT, true
		}
	}
	return 0, false
}

// codecs gives the codec of each payload type of the call.
func (p *payloads) codecs() map[uint8]forker.Codec {
	out := make(map[uint8]forker.Codec, len(p.carried))
	for i := range p.carried {
		f := p.carried[i].codec
		out[f.PT] = forker.Codec{Name: f.Name, Clock: f.Clock, Channels: max(f.Channels, 1)}
	}
	return out
}

// live composes the call's payload types with those of the answer to an offer.
// The offer's numbering counts, whatever the call has changed since. What has
// another codec now than when it was offered is left out until the next offer
// has told the SRS (RFC 3264 §8.3.2).
func (p *payloads) live(o carried, answer map[uint8]uint8) map[uint8]uint8 {
	out := make(map[uint8]uint8, len(o))
	for i := range o {
		c := &o[i]
		theirs, ok := answer[c.ours]
		if now := p.carried.of(c.codec.PT); ok && c.offered && (now == nil || now.same(c)) {
			out[c.codec.PT] = theirs
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
