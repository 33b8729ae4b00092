package recorder

import (
	"fmt"
	"strings"

	"sidetrack/internal/audio"
	"sidetrack/internal/sdp"
)

// use says what becomes of the packets of a payload type.
type use uint8

const (
	unknown use = iota // not in the SDP: kept as it is
	decode             // audio that we can decode
	event              // RFC 4733: counted, no audio
	noise              // RFC 3389: a stretch of silence announced
	keep               // anything else: kept as it is
)

// format is what one payload type of a stream stands for.
type format struct {
	use   use
	name  string // encoding name for people
	clock int    // timestamp units per second, 0 unknown
	codec audio.Codec
}

// formats holds the payload types of a stream. A mapping once made is kept: packets
// under way may still use it, and it must not change (RFC 3264 §8.3.2).
type formats [128]format

// learn adds the payload types of an offered section and tells of one that would
// change its meaning.
func (f *formats) learn(list []sdp.Format) (changed string) {
	for _, s := range list {
		old, fresh := &f[s.PT&0x7f], newFormat(s)
		switch {
		case old.use == unknown:
			*old = fresh
		case *old != fresh:
			changed = fmt.Sprintf("payload type %d changed from %s to %s", s.PT, old.name, fresh.name)
		}
	}
	return changed
}

func newFormat(s sdp.Format) format {
	f := format{use: keep, name: strings.ToUpper(s.Name), clock: s.Clock}
	switch strings.ToLower(s.Name) {
	case "telephone-event", "tone":
		f.use, f.name = event, strings.ToLower(s.Name)
	case "cn":
		f.use = noise
	default:
		if c, ok := audio.FindCodec(s.Name, s.Clock, s.Channels); ok {
			f.use, f.codec = decode, c
		}
	}
	return f
}
