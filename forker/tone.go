package forker

import (
	"math/rand/v2"
	"time"

	"sidetrack/internal/audio"
)

// Tone is a tone that a party hears now and then in what the other one says.
type Tone struct {
	Hertz  float64
	Level  float64       // of the sine wave, in decibels of full scale: 0 or below
	Length time.Duration // of a burst
	Period time.Duration // from burst to burst
	Jitter time.Duration // each burst but the first comes earlier or later by up to so much
	Copy   bool          // the recorder hears it, too
}

// SetTone has a side hear a tone from the next packet on that comes for it; nil:
// no longer. The same tone again goes on as it is. It is mixed into PCMU, PCMA, G.722 and L16 of the payload
// types that SetCodecs names, packet by packet: sizes, numbers and timestamps
// stay, and between the bursts every bit does. The first burst begins with the
// next packet; with G.722 half a second later. A party that sends nothing brings
// no tone to the other; SRTP that only passes has none either.
func (r *Relay) SetTone(hears Side, tone *Tone) {
	if hears != SideA && hears != SideB {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := &r.tones[1-hears]
	switch {
	case tone == nil:
		*now = nil
	case *now == nil || (*now).tone != *tone:
		*now = &toning{tone: *tone, cadence: audio.Cadence{
			Hertz: tone.Hertz, Amplitude: audio.Decibels(min(tone.Level, 0)),
			On: tone.Length, Period: tone.Period, Jitter: min(tone.Jitter, tone.Period/2), Seed: rand.Uint64(),
		}}
	}
	r.amend()
}

// Sealed tells whether a flow is SRTP that only passes: what cannot be changed.
func (r *Relay) Sealed(stream int, flow Flow) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.has(stream) && (flow == AB || flow == BA) && r.streams[stream].flows[flow].secrecy.sealed
}

// toning is a tone as it was set for a direction of all streams.
type toning struct {
	tone    Tone
	cadence audio.Cadence
}

// G.722 cannot be written in the middle of a stream without having followed it:
// its coder goes by what came before.
const (
	g722Lead = 8000 // frames before a burst from which on it is followed, half a second
	g722Tail = 64   // frames behind one that are still written, for the delay of its filters
)

// mixer mixes a tone into a flow. Guarded by the relay's mutex.
type mixer struct {
	*toning
	place place
	codec audio.Codec
	dec   audio.Decoder
	enc   audio.Encoder
	wide  *wideband // of G.722; nil: none of it came lately
	pcm   []int16
}

// wideband is what is known of a stream of G.722.
type wideband struct {
	dec    *audio.G722Decoder // as the sender's coder is
	enc    *audio.G722Encoder
	coding bool // what the receiver decodes is ours
}

// amendTone begins a tone, or ends one, or leaves it as it is.
func (a *alteration) amendTone(t *toning) {
	switch {
	case t == nil:
		a.mixer = nil
	case a.mixer == nil || a.mixer.toning != t:
		a.mixer = &mixer{toning: t}
	}
}

// mix gives the packet with the tone, made in dst; false when it stays as it is.
func (m *mixer) mix(dst, b []byte, h *header, c coding, clock, now int64) ([]byte, bool) {
	at := m.place.of(h, clock, now)
	codec, ok := c.speech(clock)
	if !ok || h.payload == 0 {
		return b, false
	}
	payload, ok := payloadOf(b, h)
	if !ok {
		return b, false
	}
	if codec != m.codec {
		m.codec, m.dec, m.enc, m.wide = codec, codec.NewDecoder(), codec.NewEncoder(), nil
	}
	from := codec.Frames(at)
	if c.kind == kindG722 {
		from -= g722Lead // time to follow it before the first burst
	}
	to := from + codec.PayloadFrames(len(payload))
	if c.kind == kindG722 {
		if !m.follow(payload, from, to) {
			return b, false
		}
	} else if !m.cadence.Sounds(from, to, codec.Rate) {
		return b, false
	} else {
		m.pcm = m.dec.Decode(m.pcm[:0], payload)
	}
	lo, hi := m.cadence.MixChannels(m.pcm, codec.Channels, from, codec.Rate)
	dst = append(dst[:0], b...)
	start := payloadStart(b)
	if m.wide != nil {
		m.wide.enc.Encode(dst[:start], m.pcm)
		return dst, true
	}
	size := len(payload) / max(len(m.pcm), 1) // octets of a sample
	lo, hi = lo*codec.Channels, hi*codec.Channels
	m.enc.Encode(dst[:start+lo*size], m.pcm[lo:hi])
	return dst, true
}

// follow decodes a packet of G.722 when a burst is near, and tells whether it is
// to be written anew.
func (m *mixer) follow(payload []byte, from, to int64) bool {
	if !m.cadence.Sounds(from-g722Tail, to+g722Lead, m.codec.Rate) {
		m.wide = nil
		return false
	}
	if m.wide == nil {
		m.wide = &wideband{dec: audio.NewG722Decoder(), enc: audio.NewG722Encoder()}
	}
	w := m.wide
	sounds := m.cadence.Sounds(from-g722Tail, to, m.codec.Rate)
	if sounds && !w.coding {
		w.enc.Follow(w.dec)
	}
	m.pcm = w.dec.Decode(m.pcm[:0], payload)
	if w.coding = sounds; !sounds {
		w.enc.Hear(m.pcm)
	}
	return sounds
}
