package forker

import (
	"time"

	"sidetrack/internal/audio"
)

// place tells where in time a source's packets lie: by their timestamps, so that
// late and lost ones change nothing, and by their arrival where the timestamps
// begin anew. The zero value begins at the first packet.
type place struct {
	known bool
	ssrc  uint32
	clock int64
	ts    uint32 // of the newest packet
	at    int64  // its arrival
	ticks int64  // its place
}

// maxStray is how far timestamps may be off their packets' arrival: more than a
// network holds packets back, less than a hold after which they go on as if there
// had been none.
const maxStray = int64(2 * time.Second)

// of gives the place of a packet, in ticks of that clock since the first.
func (p *place) of(h *header, clock, now int64) int64 {
	if !p.known {
		*p = place{known: true, ssrc: h.ssrc, clock: clock, ts: h.ts, at: now}
		return 0
	}
	if clock != p.clock {
		p.ticks, p.clock = p.ticks*clock/p.clock, clock
	}
	elapsed := int64(int32(ticks(now-p.at, clock)))
	ahead := int64(int32(h.ts - p.ts))
	stray := clock * maxStray / int64(time.Second)
	switch {
	case h.ssrc != p.ssrc, ahead-elapsed > stray, elapsed-ahead > stray:
		if h.ssrc == p.ssrc && ahead < 0 && -ahead < clock { // late
			return p.ticks + ahead
		}
		ahead = elapsed
	case ahead < 0:
		return p.ticks + ahead
	}
	p.ssrc, p.ts, p.at = h.ssrc, h.ts, now
	p.ticks += ahead
	return p.ticks
}

// speech is the codec by which samples are read and written; false for those in
// which nothing can be mixed.
func (c coding) speech(clock int64) (audio.Codec, bool) {
	name := ""
	switch c.kind {
	case kindPCMU:
		name = "PCMU"
	case kindPCMA:
		name = "PCMA"
	case kindG722:
		name = "G722"
	case kindL16:
		name = "L16"
	default:
		return audio.Codec{}, false
	}
	return audio.FindCodec(name, int(clock), int(c.channels))
}

// Mixable tells whether a tone can be mixed into a codec.
func Mixable(c Codec) bool {
	clock := int64(c.Clock)
	if clock <= 0 {
		clock = defaultClock
	}
	_, ok := codingOf(c).speech(clock)
	return ok
}

// beep is what a masked copy carries in the place of audio: soft and short, so
// that nobody takes it for a fault, in every codec that can be written.
var beep = audio.Cadence{Hertz: 1000, Amplitude: audio.Decibels(-30), On: 200 * time.Millisecond, Period: 2 * time.Second}

// beeper makes the beeps of one masked copy. Guarded by the relay's mutex.
type beeper struct {
	place place
	codec audio.Codec
	coder audio.Encoder
	pcm   []int16
}

// append appends a payload of beeps, or the pause between them, as long as that
// packet's. It is false for a codec that cannot be written.
func (g *beeper) append(dst []byte, c coding, payload []byte, h *header, clock, now int64) ([]byte, bool) {
	codec, ok := c.speech(clock)
	if !ok {
		return dst, false
	}
	if codec != g.codec {
		g.codec, g.coder = codec, codec.NewEncoder()
	}
	n := int(codec.PayloadFrames(len(payload))) * codec.Channels
	if cap(g.pcm) < n {
		g.pcm = make([]int16, n)
	}
	g.pcm = g.pcm[:n]
	clear(g.pcm)
	beep.MixChannels(g.pcm, codec.Channels, codec.Frames(g.place.of(h, clock, now)), codec.Rate)
	return g.coder.Encode(dst, g.pcm), true
}
