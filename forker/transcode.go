package forker

import (
	"sidetrack/internal/audio"
)

// transcoder turns what a recorder has not taken into G.711, packet by packet: a
// lost one stays lost. Guarded by the relay's mutex.
type transcoder struct {
	pt     uint8 // the call's payload type of the G.711 that the recorder has taken, on the call or not; unmapped: none
	enc    audio.Encoder
	scales [2]scale         // of the source that was heard last, and the one before
	source uint8            // payload type that is decoded now
	clock  int64            // of it
	dec    audio.Decoder    // nil: none yet
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

// scale turns the timestamps of a source into those of a copy that counts by another
// clock: to for ts, and from there on proportionally, so that losses, reordering and
// holes in time stay as they are.
type scale struct {
	known      bool
	ssrc       uint32
	from, into int64 // clocks of the source's audio, and of what is made of it
	ts, to     uint32
	newest     uint32 // the furthest timestamp given
	at         int64  // and its packet's arrival
}

// turn finds the scale of a source; it begins anew with one that is not known.
func (x *transcoder) turn(ssrc uint32) *scale {
	s := &x.scales[0]
	if s.known && s.ssrc == ssrc {
		return s
	}
	x.scales[0], x.scales[1] = x.scales[1], x.scales[0]
	if s.ssrc != ssrc {
		*s = scale{ssrc: ssrc}
	}
	return s
}

// retime gives a packet its timestamp in the copy, and the clock of that. All of a source
// goes by one scale, also what is left out: telephone-events whose rate is another one, and
// what cannot be decoded.
func (t *Tap) retime(h *header, clock, at int64) int64 {
	x := t.transcoder
	into := clock
	if t.pt[h.pt] == unmapped && x.pt != unmapped {
		into = g711Rate
	}
	s := x.turn(h.ssrc)
	if s.known && t.codecs.of(h.pt).beside() {
		clock, into = s.from, s.into
	}
	if !s.known {
		*s = scale{known: true, ssrc: h.ssrc, from: clock, into: into, ts: h.ts, to: h.ts, newest: h.ts, at: at}
	}
	if s.from != clock || s.into != into { // another codec: on by the time that has passed
		to := s.newest + max(ticks(at-s.at, into), 1)
		*s = scale{known: true, ssrc: h.ssrc, from: clock, into: into, ts: h.ts, to: to, newest: to, at: at}
	}
	ahead := int64(int32(h.ts - s.ts))
	if seconds := ahead / s.from; seconds > 0 { // whole ones: nothing is rounded away
		s.ts += uint32(seconds * s.from)
		s.to += uint32(seconds * s.into)
		ahead -= seconds * s.from
	}
	h.ts = s.to + uint32(int32(ahead*s.into/s.from))
	if late := int64(int32(s.newest - h.ts)); late < 0 || late > 2*into {
		s.newest, s.at = h.ts, at
	}
	return into
}

// foreign tells a telephone-event whose rate is that of audio that the transcoder has
// turned into G.711: the recorder would read its duration in a clock that the copy has not.
func (t *Tap) foreign(h *header, source, clock int64) bool {
	return t.transcoder != nil && clock == g711Rate && source != clock && t.codecs.of(h.pt).beside()
}

// transcode makes G.711 of a packet whose codec the recorder has not taken; it
// changes h, but for what timed has done. ok is false for what cannot be decoded.
func (t *Tap) transcode(b []byte, h *header, clock int64) (out []byte, ok bool) {
	x := t.transcoder
	payload, ok := payloadOf(b, h)
	if !ok || x.pt == unmapped || len(payload) == 0 {
		return nil, false
	}
	c := t.codecs.of(h.pt)
	if x.dec == nil || x.source != h.pt || x.clock != clock {
		dec, from, ok := c.decoder(clock)
		if !ok {
			return nil, false
		}
		if x.dec, x.down = dec, nil; from != g711Rate {
			x.down = audio.NewResampler(from, g711Rate)
		}
		x.source, x.clock = h.pt, clock
	}
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
		return nil, false
	}
	h.pt = x.pt
	return t.wrap(b, h, x.enc.Encode(t.hiding().blank(), pcm))
}
