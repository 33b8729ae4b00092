package forker

import (
	"sidetrack/internal/audio"
)

// transcoder turns what a recorder has not taken into G.711, packet by packet: a
// lost one stays lost. Guarded by the relay's mutex.
type transcoder struct {
	pt     uint8 // the call's payload type of the G.711 that the recorder has taken, on the call or not; unmapped: none
	enc    audio.Encoder
	source uint8 // payload type that is decoded now
	ssrc   uint32
	known  bool
	clock  int64
	ts, to uint32 // of the newest packet: the source's, and ours
	dec    audio.Decoder
	down   *audio.Resampler // nil: the decoder gives 8000 Hz already
	pcm    []int16
	out    []int16
}

// g711Rate is samples and ticks per second of G.711.
const g711Rate = 8000

// Decodable tells whether a codec can be turned into G.711.
func Decodable(c Codec) bool {
	_, _, ok := codingOf(c).decoder(int64(max(c.Clock, 0)))
	return ok
}

// decoder gives a decoder of mono or interleaved PCM and its rate.
func (c coding) decoder(clock int64) (d audio.Decoder, rate int, ok bool) {
	if c.kind == kindOpus {
		return audio.NewOpusDecoder(), audio.OpusRate, true
	}
	if clock <= 0 {
		clock = defaultClock
	}
	codec, ok := c.speech(clock)
	if !ok {
		return nil, 0, false
	}
	return codec.NewDecoder(), codec.Rate, true
}

// aimTranscoder chooses what is transcoded into: the G.711 that the recorder has taken.
func (t *Tap) aimTranscoder() {
	x := t.transcoder
	if x == nil {
		return
	}
	x.pt = unmapped
	for pt := range t.pt {
		c := t.codecs.of(uint8(pt))
		if t.pt[pt] != unmapped && x.pt == unmapped && (c.kind == kindPCMU || c.kind == kindPCMA) {
			if codec, ok := c.speech(g711Rate); ok {
				x.pt, x.enc = uint8(pt), codec.NewEncoder()
			}
		}
	}
}

// scale gives a packet's timestamp in ticks of G.711.
func (x *transcoder) scale(h *header) uint32 {
	if x.ssrc != h.ssrc {
		x.ssrc, x.ts, x.to = h.ssrc, h.ts, h.ts
	}
	ahead := int64(int32(h.ts - x.ts))
	ts := x.to + uint32(int32(ahead*g711Rate/x.clock))
	if ahead > 0 {
		x.ts, x.to = h.ts, ts
	}
	return ts
}

// foreign tells a packet that goes by another clock than the copy, which the
// transcoder has changed: a telephone-event beside Opus.
func (x *transcoder) foreign(h *header, clock int64) bool {
	return x.known && x.pt != unmapped && x.clock != g711Rate && clock != g711Rate && x.source != h.pt
}

// transcode makes G.711 of a packet whose codec the recorder has not taken; it
// changes h and gives the clock that h counts by then. ok is false for what cannot
// be decoded.
func (t *Tap) transcode(b []byte, h *header, clock int64) (out []byte, rate int64, ok bool) {
	x := t.transcoder
	payload, ok := payloadOf(b, h)
	if !ok || x.pt == unmapped || len(payload) == 0 {
		return nil, 0, false
	}
	c := t.codecs.of(h.pt)
	if !x.known || x.source != h.pt || x.clock != clock {
		dec, from, ok := c.decoder(clock)
		if !ok {
			return nil, 0, false
		}
		if x.dec, x.down = dec, nil; from != g711Rate {
			x.down = audio.NewResampler(from, g711Rate)
		}
		if !x.known || x.ssrc != h.ssrc {
			x.to = h.ts
		}
		x.known, x.source, x.clock, x.ssrc, x.ts = true, h.pt, clock, h.ssrc, h.ts
	}
	ts := x.scale(h)
	x.pcm = x.dec.Decode(x.pcm[:0], payload)
	pcm := x.pcm
	if n := int(c.channels); n > 1 && c.kind != kindOpus {
		pcm = audio.WAV{Channels: n, PCM: pcm}.Mono()
	}
	if x.down != nil {
		x.out = x.down.Convert(x.out[:0], pcm)
		pcm = x.out
	}
	if len(pcm) == 0 {
		return nil, 0, false
	}
	h.ts, h.pt = ts, x.pt
	out, ok = t.wrap(b, h, x.enc.Encode(t.masking.blank(), pcm))
	return out, g711Rate, ok
}
