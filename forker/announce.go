package forker

import (
	"errors"
	"math/rand/v2"
	"time"

	"sidetrack/internal/audio"
)

// Announcement is mono audio that a party hears in the place of the other one.
type Announcement struct {
	PCM  []int16 // shared, not changed
	Rate int     // samples per second
	Copy bool    // the recorder hears it, too, in the place of the party that is not heard
}

// ErrNotPlayable tells that a party cannot be made to hear an announcement: its
// codec cannot be written, or its SRTP only passes.
var ErrNotPlayable = errors.New("an announcement cannot be played in this codec, or into SRTP that passes")

// playTime is how long a packet of an announcement lasts.
const playTime = 20 * time.Millisecond

// Play has a side hear an announcement on a stream, in packets of 20 ms of the
// payload type pt, which means codec. They are an RTP source of their own, with a
// marker on the first. Until it ends nothing that the other party sends goes to
// that side; then it does, with a marker on the first again. Another announcement
// takes the place of one that is still heard. Play returns at once; the errors are
// ErrClosed and ErrNotPlayable.
func (r *Relay) Play(hears Side, stream int, pt uint8, codec Codec, a Announcement) error {
	speech, ok := codingOf(codec).speech(int64(max(codec.Clock, 0)))
	if !ok || speech.Rate%50 != 0 || a.Rate <= 0 || hears != SideA && hears != SideB || pt > 127 {
		return ErrNotPlayable
	}
	p := &playback{
		speech: speech, enc: speech.NewEncoder(), pcm: a.PCM, rate: a.Rate, copied: a.Copy,
		head: header{pt: pt, marker: true, ssrc: rand.Uint32(), seq: uint16(rand.N(1 << 15)), ts: rand.Uint32()},
	}
	if err := r.begin(p, hears, stream); err != nil {
		return err
	}
	go p.run(r.engine)
	return nil
}

// begin puts the announcement in the place of a flow.
func (r *Relay) begin(p *playback, hears Side, stream int) error {
	if !r.engine.join() {
		return ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := ErrClosed
	if !r.closed && r.has(stream) {
		s := r.streams[stream]
		says := 1 - hears
		p.route = &route{relay: r, from: &s.legs[says], to: &s.legs[hears], flow: &s.flows[says]}
		err = ErrNotPlayable
		if !p.route.flow.secrecy.sealed && (!s.legs[hears].remote.Secure || s.legs[hears].srtp != nil) {
			p.route.flow.playing = p
			r.amend()
			return nil
		}
	}
	r.engine.running.Done()
	return err
}

// join counts a goroutine that Close is to wait for; false: it is closed.
func (e *Engine) join() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Add(1)
	}
	return !e.closed
}

// playback is an announcement that is heard. pcm and what makes packets of it
// belong to run, the rest is guarded by the relay's mutex.
type playback struct {
	route  *route
	head   header // of the next packet
	copied bool

	speech audio.Codec
	enc    audio.Encoder
	pcm    []int16 // what is left
	rate   int
	packet []byte
	both   []int16
}

// run sends the announcement at its pace. A packet that is due late leaves at once.
func (p *playback) run(e *Engine) {
	defer e.running.Done()
	if p.rate != p.speech.Rate {
		p.pcm = audio.NewResampler(p.rate, p.speech.Rate).Convert(nil, p.pcm)
	}
	tick := time.NewTicker(playTime)
	defer tick.Stop()
	begun := e.now()
	for sent := int64(0); ; {
		for ; sent <= (e.now()-begun)/int64(playTime); sent++ {
			if !p.step() {
				return
			}
		}
		select {
		case <-e.stop:
			return
		case <-tick.C:
		}
	}
}

// step sends a packet; false: it was the last, or nobody is to hear it any more.
func (p *playback) step() bool {
	n := min(p.speech.Rate/50, len(p.pcm))
	p.packet = append(p.packet[:0], make([]byte, rtpHeaderSize)...)
	if p.both = p.both[:0]; n > 0 {
		for _, v := range p.pcm[:n] {
			for range p.speech.Channels {
				p.both = append(p.both, v)
			}
		}
		for len(p.both) < p.speech.Rate/50*p.speech.Channels { // the last packet is whole, too
			p.both = append(p.both, 0)
		}
		p.packet = p.enc.Encode(p.packet, p.both)
		p.pcm = p.pcm[n:]
	}
	r := p.route
	r.relay.mu.Lock()
	defer r.relay.unlock()
	if r.relay.closed || r.flow.playing != p {
		return false
	}
	if n == 0 {
		r.flow.playing = nil
		r.relay.amend()
		r.flow.resumes()
		return false
	}
	p.send()
	return true
}

// send has the packet go the way of the flow. The caller holds the mutex.
func (p *playback) send() {
	r, h := p.route, p.head
	b := p.packet
	b[0], b[1] = 0x80, 0
	if h.marker {
		b[1] = 0x80
	}
	writeHeader(b, h.pt, h.seq, h.ts, h.ssrc)
	h.payload = len(b) - rtpHeaderSize
	r.forward(b, false)
	if p.copied {
		r.copy(b, &h, r.relay.engine.now())
	}
	p.head.marker = false
	p.head.seq++
	p.head.ts += uint32(p.speech.Ticks(int64(p.speech.Rate / 50)))
}

// resumes has the next packet of the party that was not heard begin a talkspurt.
func (f *flow) resumes() {
	if f.alter == nil {
		f.alter = &alteration{}
	}
	f.alter.marks = true
}
