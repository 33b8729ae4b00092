package forker

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"
)

// Of what is said during a pause, a mask, a mute, or beside digits nothing is
// heard, then or later; the other party is where only one is muted.
func TestHiddenFromTheMix(t *testing.T) {
	s := newStand(t, DTMFMask)
	tap := s.d.tap
	a, b := s.talker(AB, 0, 400), s.talker(BA, 0, 1000)
	talk := func(n int) (from, to int) {
		from = len(s.pcm)
		for range n {
			a.say()
			b.say()
			s.tick(1)
		}
		return from, len(s.pcm)
	}
	talk(50)
	a.hz, b.hz = 700, 1300 // the secret
	tap.Pause()
	talk(50)
	tap.Resume()
	a.hz, b.hz = 400, 1000
	talk(50)
	for _, hz := range []float64{700, 1300} {
		for at := 0; at+160 <= len(s.pcm); at += 160 {
			if tone, all := s.energy(at, at+160, hz); tone > 2600 && tone > all { // neighbours leak into so short a window
				t.Fatalf("%v Hz of the pause at level %.0f, sample %d", hz, tone, at)
			}
		}
		s.hears("pause", 0, len(s.pcm), hz, false)
	}
	for i := 1; i < len(s.out); i++ {
		if s.out[i].SequenceNumber != s.out[i-1].SequenceNumber+1 {
			t.Fatalf("packet %d: %v", i, s.out[i].Header)
		}
	}

	tap.Mute(AB, true)
	from, to := talk(50)
	s.hears("muted caller", from+800, to, 400, false)
	s.hears("callee beside", from+800, to, 1000, true)
	tap.Mute(AB, false)
	talk(10)
	tap.Mask(PauseSilence)
	from, to = talk(50)
	if _, all := s.energy(from, to, 400); all > 10 {
		t.Errorf("masked: level %.0f", all)
	}
	tap.Unmask()
	talk(10)

	event := []byte{0x80, 101, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 10, 3, 32}
	from = len(s.pcm)
	for range 50 {
		h, _ := readHeader(event)
		a.put(slices.Clone(event), h)
		a.say()
		b.say()
		s.tick(1)
	}
	s.hears("beside a digit, caller", from+800, len(s.pcm), 400, false)
	s.hears("beside a digit, callee", from+800, len(s.pcm), 1000, true)
}

// A recorder that takes the other law gets it, also of what was kept before it
// answered.
func TestMixInTheRecordersLaw(t *testing.T) {
	for _, pt := range []uint8{0, 8} {
		s := newStand(t, DTMFPass)
		tap := s.d.tap
		tap.transcoder = &transcoder{pt: unmapped}
		tap.relay.engine.store.limit = 1 << 20
		tap.backlog = backlog{store: &tap.relay.engine.store, limit: int64(10 * time.Second)}
		tap.pt[0] = unmapped
		to := tap.rtp
		tap.rtp = netip.AddrPort{}
		a := s.talker(AB, 0, 400)
		for range 20 {
			a.say()
			s.tick(1)
		}
		if len(s.out) != 0 || tap.backlog.n != 20 {
			t.Fatalf("%d sent, %d kept", len(s.out), tap.backlog.n)
		}
		s.sink.each = func(b []byte) {
			var p pionrtp.Packet
			if err := p.Unmarshal(slices.Clone(b)); err != nil || p.PayloadType != pt || len(p.Payload) != 160 {
				t.Fatalf("%v %v", p.Header, err)
			}
			s.out = append(s.out, p)
		}
		tap.pt[pt] = pt
		tap.aimTranscoder()
		tap.rtp = to
		for range 20 {
			a.say()
			s.tick(1)
		}
		if len(s.out) != 40 {
			t.Errorf("%d packets", len(s.out))
		}
	}
}

// A goroutine that was held up makes up for a while, and leaves out the rest.
func TestAMixThatWasHeldUp(t *testing.T) {
	s := newStand(t, DTMFPass)
	a := s.talker(AB, 0, 400)
	a.say()
	s.tick(1)
	s.now += 10 * duetTime
	s.tick(1)
	if len(s.out) != 12 {
		t.Errorf("%d packets after 10 were due", len(s.out))
	}
	s.now += int64(time.Minute)
	s.tick(1)
	if last := s.out[len(s.out)-1]; len(s.out) != 13 || last.Timestamp-s.out[11].Timestamp < 8000*60 {
		t.Errorf("%d packets, the last %v", len(s.out), last.Header)
	}
}

// What was to be heard in the time that is left out is not heard later, in a gap of the party's or over what it says then.
func TestAMixThatWasHeldUpForgets(t *testing.T) {
	s := newStand(t, DTMFPass)
	a := s.talker(AB, 0, 400)
	for range 20 {
		a.say()
		s.tick(1)
	}
	a.hz = 1000
	for range 30 { // while nothing is mixed
		a.say()
		s.now += duetTime
	}
	a.hz = 2000
	before := len(s.out)
	for i := range 60 {
		if b, h := a.next(); i < 5 || i%8 < 4 { // the others are lost
			a.put(b, h)
		}
		s.tick(1)
	}
	if got := len(s.out) - before; got != 60 {
		t.Fatalf("%d packets after it was held up", got)
	}
	after := len(s.pcm) - 60*duetFrame
	for at := after; at < len(s.pcm); at += 2 * duetFrame {
		s.hears("from before", at, at+2*duetFrame, 400, false)
		if at >= after+6*duetFrame {
			s.hears("from meanwhile", at, at+2*duetFrame, 1000, false)
		}
	}
	s.hears("of now", after+7*duetFrame, after+9*duetFrame, 2000, true)
}

func TestMixAllocatesNothing(t *testing.T) {
	s := newStand(t, DTMFPass)
	s.sink.each = nil
	type sent struct {
		b []byte
		h header
	}
	var said [2][]sent
	for i, x := range []*talker{s.talker(AB, 0, 400), s.talker(BA, 8, 1000)} {
		for range 400 {
			b, h := x.next()
			said[i] = append(said[i], sent{b, h})
		}
	}
	n := 0
	routes := [2]*route{}
	for f := range routes {
		routes[f] = &route{relay: s.d.tap.relay, flow: s.d.voices[f].flow}
	}
	step := func() {
		for f := range said {
			p := &said[f][n]
			routes[f].copy(p.b, &p.h, s.now)
		}
		n++
		s.tick(1)
	}
	for range 100 {
		step() // the memory comes
	}
	if a := testing.AllocsPerRun(250, step); a != 0 {
		t.Errorf("%v allocations a packet", a)
	}
}

// Two sources that take turns under one label, in two codecs, with each packet:
// nothing is allocated for them either, and the other party is heard.
func TestFlappingSourcesInAMix(t *testing.T) {
	s := newStand(t, DTMFPass)
	b := s.talker(BA, 0, 1000)
	x, y := s.talker(AB, 0, 400), s.talker(AB, 9, 400)
	p, h := x.next()
	q, k := y.next()
	turn := func() {
		h.seq, k.seq = h.seq+1, k.seq+1
		h.ts, k.ts = h.ts+160, k.ts+160
		x.put(p, h)
		y.put(q, k)
	}
	for range 60 {
		turn()
		b.say()
		s.tick(1)
	}
	s.hears("callee", 1600, 9600, 1000, true)
	s.sink.each = nil
	if n := testing.AllocsPerRun(100, func() { turn(); s.tick(1) }); n != 0 {
		t.Errorf("%v allocations a turn", n)
	}
}

func BenchmarkMix(b *testing.B) {
	s := newStand(b, DTMFPass)
	s.sink.each = nil
	x, y := s.talker(AB, 0, 400), s.talker(BA, 8, 1000)
	p, h := x.next()
	q, k := y.next()
	b.ReportAllocs()
	for b.Loop() {
		h.seq, k.seq = h.seq+1, k.seq+1
		h.ts, k.ts = h.ts+160, k.ts+160
		x.put(p, h)
		y.put(q, k)
		s.tick(1)
	}
}

// Whatever comes, in whatever order, the mix goes on: one packet of 20 ms each
// time, numbers without a gap, and nothing of what is hidden.
func FuzzMix(f *testing.F) {
	f.Add([]byte("\x00\x01\x02anything may come here, in any order, with any timestamp"))
	f.Fuzz(func(t *testing.T, script []byte) {
		s := newStand(t, DTMFMask)
		types := []uint8{0, 8, 9, 11, 96, 97, 101, 18, 77}
		h := [2]header{{ssrc: 1}, {ssrc: 2}}
		for len(script) >= 4 {
			x := &h[script[0]&1]
			x.pt = types[int(script[1])%len(types)]
			x.seq += uint16(int8(script[2]))
			x.ts += uint32(int32(int8(script[3])) * 160)
			switch script[0] >> 1 & 15 {
			case 1:
				x.ts += 1 << 30
			case 2:
				x.ssrc ^= 4
			case 3:
				s.d.tap.Pause()
			case 4:
				s.d.tap.Resume()
			case 5:
				s.d.tap.Mute(Flow(script[2]&1), script[3]&1 == 0)
			}
			payload := script[4:min(len(script), 4+int(script[1]))]
			b := append([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, payload...)
			writeHeader(b, x.pt, x.seq, x.ts, x.ssrc)
			own := *x
			own.payload = len(payload)
			(&talker{s: s, flow: Flow(script[0] & 1)}).put(b, own)
			if script[0]&0x20 != 0 {
				s.tick(1)
			}
			script = script[4:]
		}
		s.tick(3)
		for i := 1; i < len(s.out); i++ {
			if s.out[i].SequenceNumber != s.out[i-1].SequenceNumber+1 || len(s.out[i].Payload) != 160 {
				t.Fatalf("packet %d: %v after %v", i, s.out[i].Header, s.out[i-1].Header)
			}
		}
	})
}
