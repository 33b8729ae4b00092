package src

import (
	"slices"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/metadata"
)

// Transcode says whether copies are turned into G.711.
type Transcode string

// The values of Transcode; "" means TranscodeOff.
const (
	TranscodeOff      Transcode = "off"
	TranscodeFallback Transcode = "fallback" // where an SRS takes none of the call's codecs
	TranscodePCMA     Transcode = "pcma"     // always; nothing else is offered
	TranscodePCMU     Transcode = "pcmu"
)

// target is the codec of an always; false: there is none.
func (x Transcode) target() (sdp.Format, bool) {
	switch x {
	case TranscodePCMA:
		return g711[0], true
	case TranscodePCMU:
		return g711[1], true
	}
	return sdp.Format{}, false
}

// g711 are the codecs that copies are turned into, with their static numbers (RFC
// 3551 §6).
var g711 = []sdp.Format{{PT: 8, Name: "PCMA", Clock: 8000, Channels: 1}, {PT: 0, Name: "PCMU", Clock: 8000, Channels: 1}}

// on reports whether a tap is to transcode.
func (x Transcode) on() bool { return x != "" && x != TranscodeOff }

// renders tells whether something of the formats can go to a recorder.
func (x Transcode) renders(formats []metadata.Format) bool {
	target, always := x.target()
	return !always || slices.ContainsFunc(formats, func(f metadata.Format) bool {
		return decodable(f) || sameCodec(target, sdp.Format{Name: f.Name, Clock: f.Clock, Channels: f.Channels})
	})
}

// mixes are the formats of a stream that has both parties in it: G.711, that of the
// call first, and no more than the recorder is to be offered.
func (x Transcode) mixes(call []metadata.Format) []metadata.Format {
	ulaw := false
	for _, f := range call {
		if ulaw = f.PT == g711[1].PT; ulaw || f.PT == g711[0].PT {
			break
		}
	}
	var out []metadata.Format
	target, always := x.target()
	for _, g := range g711 {
		if !always || sameCodec(g, target) {
			out = append(out, metadata.Format{PT: g.PT, Name: g.Name, Clock: g.Clock})
		}
	}
	if ulaw {
		slices.Reverse(out)
	}
	return out
}

func decodables(formats []metadata.Format) bool { return slices.ContainsFunc(formats, decodable) }

func decodable(f metadata.Format) bool {
	return forker.Decodable(forker.Codec{Name: f.Name, Clock: f.Clock, Channels: f.Channels})
}

// offers tells whether a codec of the call is offered as it is.
func (x Transcode) offers(f sdp.Format) bool {
	target, always := x.target()
	return !always || auxiliary(f.Name) || sameCodec(f, target)
}

// added are the codecs that are offered though the call does not carry them, under
// numbers that it does not use.
func (x Transcode) added(formats []metadata.Format) (out []sdp.Format) {
	if !x.on() || !slices.ContainsFunc(formats, decodable) {
		return nil
	}
	target, always := x.target()
	for _, g := range g711 {
		carried := slices.ContainsFunc(formats, func(f metadata.Format) bool {
			return f.PT == g.PT || sameCodec(g, sdp.Format{Name: f.Name, Clock: f.Clock, Channels: f.Channels})
		})
		if !carried && (!always || sameCodec(g, target)) {
			out = append(out, g)
		}
	}
	return out
}
