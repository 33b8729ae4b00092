package src

import (
	"slices"

	"sidetrack/forker"
	"sidetrack/internal/sdp"
	"sidetrack/metadata"
)

// headerExtensions are the RTP header extensions of a stream (RFC 8285). Identifiers in
// our descriptions and copies are places in what the recorder wants, so that one keeps
// its meaning for the whole session, whatever those of the call are.
type headerExtensions struct {
	offered []sdp.Extension // of Recorder.HeaderExtensions, what the call has in this direction
	numbers map[uint8]uint8 // the call's identifiers → ours
	taken   []uint8         // ours, as far as the SRS has taken them
}

// follow takes what the call carries now in this direction, as far as the recorder wants it. tap may be nil.
func (x *headerExtensions) follow(call []metadata.HeaderExtension, wanted []string, tap *forker.Tap) {
	if len(wanted) == 0 {
		return
	}
	x.offered, x.numbers = nil, make(map[uint8]uint8, len(wanted)) // the former may be an offer's
	for i, uri := range wanted {
		at := slices.IndexFunc(call, func(e metadata.HeaderExtension) bool { return e.URI == uri })
		if at < 0 {
			continue
		}
		x.offered = append(x.offered, sdp.Extension{ID: i + 1, Direction: sdp.SendOnly, URI: uri, Attributes: call[at].Attributes})
		x.numbers[call[at].ID] = uint8(i + 1)
	}
	if tap != nil {
		tap.SetExtensions(x.numbers)
	}
}

// only are the extensions that have one of these identifiers.
func only(all []sdp.Extension, ids []uint8) (out []sdp.Extension) {
	for _, e := range all {
		if slices.Contains(ids, uint8(e.ID)) {
			out = append(out, e)
		}
	}
	return out
}
