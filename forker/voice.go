package forker

import (
	"cmp"
	"slices"

	"sidetrack/internal/audio"
)

// A voice is one party in a mix (duet.go).
//
//  1. take, on the way of the packet: its payload goes into the inbox. No more is
//     done there, so that the call does not wait for a decoder
//  2. hear, on the mix's own goroutine: decoded, put where its timestamp says
//  3. speak, there too: what lies at the time that is mixed now
const (
	voiceDelay = g711Rate * 60 / 1000  // samples that a packet waits to be mixed: late ones arrive meanwhile
	voiceAhead = g711Rate * 300 / 1000 // samples beyond which nothing is kept: the source's clock, or the way, has changed
	voiceRing  = 4096                  // samples: voiceAhead, the longest packet (120 ms) and some more
	voiceInbox = 32                    // packets between two looks
	voiceLate  = 3                     // packets too late in a row after which the delay begins anew
	voiceTrial = 64                    // packets after which the delay is looked at,
	voiceNudge = 8                     // and samples by which it is changed then: source and mix have different clocks
)

// voice is what a mix knows of one party.
type voice struct {
	duet *duet
	flow *flow // nil: not of the mix

	// Guarded by the relay's mutex.
	codecs  codingTable
	muted   bool   // nothing of it is heard
	keyed   int64  // arrival of the newest packet of a telephone-event; 0: none
	inbox   *inbox // nil until something has come
	packets uint64

	// The goroutine's.
	work     *inbox
	place    place
	base     int64 // time of the mix, in samples, at which place began
	begun    bool
	late     int   // packets in a row
	trial    int   // packets since the delay was looked at,
	least    int64 // and how long one of them waited at least
	end      int64 // of what has been heard, in samples of the mix
	ssrc     uint32
	hearings []hearing // of the codecs heard so far, the newest few
	pcm      []int16
	mono     []int16
	ring     [voiceRing]int16 // by time modulo its size; silence where nothing was heard
}

// hearing is how one codec is decoded. It is kept: a party that goes to and fro
// between two codecs or sources costs no memory each time.
type hearing struct {
	c     coding
	clock int64
	dec   audio.Decoder
	down  *audio.Resampler // nil: the decoder gives 8000 Hz already
}

const maxHearings = 4

// inbox is packets in the order of their arrival, its memory used again.
type inbox struct {
	n    int
	post [voiceInbox]arrival
}

// arrival is a packet as it came.
type arrival struct {
	h       header
	c       coding
	clock   int64
	at      int64
	hidden  bool // it is not to be heard
	payload []byte
}

// take keeps a packet of the party. The caller holds the relay's mutex; b stays as
// it is.
func (v *voice) take(b []byte, h *header, now int64) {
	if h == nil {
		return
	}
	t := v.duet.tap
	v.packets++
	v.duet.begun = true
	c := v.codecs.of(h.pt)
	if c.event() {
		v.keyed = now
		return
	}
	payload, ok := payloadOf(b, h)
	switch {
	case !ok || len(payload) == 0:
		return
	case !c.decodes():
		t.drop(DropUnmapped)
		return
	case v.inbox == nil:
		v.inbox = &inbox{} // not work, which is the mix's
	}
	if v.inbox.n == voiceInbox {
		t.drop(DropBufferFull)
		return
	}
	_, covered := t.covered()
	a := &v.inbox.post[v.inbox.n]
	v.inbox.n++
	a.h, a.c, a.clock, a.at = *h, c, v.codecs.clockOf(h.pt), now
	a.hidden = covered || v.muted || v.duet.dtmf != DTMFPass && v.keyed != 0 && now-v.keyed < eventTimeout
	a.payload = append(a.payload[:0], payload...)
}

// skip forgets what was to be mixed in a time that is left out: what has been heard, and what came before since.
// It gives how many packets that were.
func (v *voice) skip(since int64) (late int) {
	clear(v.ring[:])
	v.begun, v.end = false, 0
	w := v.work
	if w == nil {
		return 0
	}
	kept := 0
	for i := range w.n {
		if w.post[i].at >= since {
			w.post[kept], w.post[i] = w.post[i], w.post[kept] // each keeps its memory
			kept++
		}
	}
	late, w.n = w.n-kept, kept
	return late
}

// decodes tells whether a codec can be mixed.
func (c coding) decodes() bool { return c.kind == kindOpus || c.perTick() > 0 }

// hear takes in what the inbox held, at the mix's time now. It gives how many
// packets came too late.
func (v *voice) hear(now int64) (late int) {
	w := v.work
	if w == nil || w.n == 0 {
		return 0
	}
	post := w.post[:w.n]
	slices.SortStableFunc(post, func(a, b arrival) int { // what came out of order within one look
		if a.h.ssrc != b.h.ssrc {
			return 0
		}
		return cmp.Compare(int16(a.h.seq-b.h.seq), 0)
	})
	for i := range post {
		if !v.hears(&post[i], now) {
			late++
		}
	}
	w.n = 0
	return late
}

// hears decodes a packet and puts it where it belongs; false: that is past.
func (v *voice) hears(a *arrival, now int64) bool {
	if !v.decode(a) {
		return true
	}
	ticks := v.place.of(&a.h, a.clock, a.at) * g711Rate / a.clock
	at := v.base + ticks
	behind := at < now
	if behind {
		v.late++
	} else {
		v.late = 0
	}
	if !v.begun || behind && (v.end <= now || v.late > voiceLate) || at > now+voiceAhead {
		v.begun, v.late, v.trial = true, 0, 0
		at = now + voiceDelay
		v.base = at - ticks
	}
	v.adapt(at - now)
	pcm := v.pcm
	if at < now {
		if int64(len(pcm)) <= now-at {
			return false
		}
		pcm, at = pcm[now-at:], now
	}
	for i, s := range pcm {
		v.ring[uint64(at+int64(i))%voiceRing] = s
	}
	v.end = max(v.end, at+int64(len(pcm)))
	return true
}

// adapt keeps the delay near voiceDelay, or as long as the way's jitter wants it.
func (v *voice) adapt(wait int64) {
	if v.trial == 0 || wait < v.least {
		v.least = wait
	}
	if v.trial++; v.trial < voiceTrial {
		return
	}
	v.trial = 0
	switch {
	case v.least < voiceDelay/3:
		v.base += voiceNudge
	case v.least > voiceDelay*3/2:
		v.base -= voiceNudge
	}
}

// decode makes pcm of a packet: mono, 8000 Hz.
func (v *voice) decode(a *arrival) bool {
	h := v.hearing(a.c, a.clock)
	if h == nil {
		return false
	}
	v.ssrc = a.h.ssrc
	v.pcm = h.dec.Decode(v.pcm[:0], a.payload)
	if n := int(a.c.channels); n > 1 && a.c.kind != kindOpus {
		v.pcm = fold(v.pcm, n)
	}
	if h.down != nil {
		v.mono = h.down.Convert(v.mono[:0], v.pcm)
		v.pcm, v.mono = v.mono, v.pcm
	}
	if len(v.pcm) > voiceRing-voiceAhead {
		v.pcm = v.pcm[:voiceRing-voiceAhead]
	}
	if a.hidden {
		clear(v.pcm)
	}
	return len(v.pcm) > 0
}

// hearing gives the decoder of a codec; nil: there is none.
func (v *voice) hearing(c coding, clock int64) *hearing {
	for i := range v.hearings {
		if h := &v.hearings[i]; h.c == c && h.clock == clock {
			return h
		}
	}
	dec, rate, ok := c.decoder(clock)
	if !ok {
		return nil
	}
	h := hearing{c: c, clock: clock, dec: dec}
	if rate != g711Rate {
		h.down = audio.NewResampler(rate, g711Rate)
	}
	if len(v.hearings) == maxHearings {
		v.hearings = v.hearings[:copy(v.hearings, v.hearings[1:])]
	}
	v.hearings = append(v.hearings, h)
	return &v.hearings[len(v.hearings)-1]
}

// fold makes one channel of n, in place.
func fold(pcm []int16, n int) []int16 {
	frames := len(pcm) / n
	for i := range frames {
		sum := 0
		for k := range n {
			sum += int(pcm[i*n+k])
		}
		pcm[i] = int16(sum / n)
	}
	return pcm[:frames]
}

// speak adds what lies from now on to the mix, and forgets it. false: there is
// nothing.
func (v *voice) speak(sum []int32, now int64) bool {
	if v.end <= now {
		return false
	}
	for i := range sum {
		s := &v.ring[uint64(now+int64(i))%voiceRing]
		sum[i] += int32(*s)
		*s = 0
	}
	return true
}
