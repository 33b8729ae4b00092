package forker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"sidetrack/internal/audio"
)

// stand is a mix without sockets and without a goroutine: the test is its clock.
type stand struct {
	t    testing.TB
	d    *duet
	sink *sink
	now  int64
	out  []pionrtp.Packet
	pcm  []int16 // all that has left, silence where packets are missing
}

var g711Types = map[uint8]Codec{0: {Name: "PCMU"}, 8: {Name: "PCMA"}, 9: {Name: "G722"}, 11: {Name: "L16", Clock: 8000},
	96: {Name: "opus", Clock: 48000, Channels: 2}, 97: {Name: "L16", Clock: 16000, Channels: 2}, 101: {Name: "telephone-event"}, 18: {Name: "G729"}}

func newStand(t testing.TB, dtmf DTMF) *stand {
	g := newRig()
	s := &stand{t: t, sink: g.copies, now: int64(time.Hour), d: newDuet(dtmf)}
	tap := g.tap
	for i := range tap.pt {
		tap.pt[i] = unmapped
	}
	tap.pt[0], tap.duet, s.d.tap = 0, s.d, tap
	tap.codecs.set(map[uint8]Codec{0: {Name: "PCMU"}, 8: {Name: "PCMA"}})
	tap.flow = &flow{taps: []*Tap{tap}}
	for f := range s.d.voices {
		v := &s.d.voices[f]
		v.flow = &g.relay.streams[0].flows[f]
		v.flow.taps, v.flow.voices = nil, []*voice{v}
		v.codecs.set(g711Types)
	}
	s.sink.each = func(b []byte) {
		var p pionrtp.Packet
		if err := p.Unmarshal(slices.Clone(b)); err != nil {
			t.Fatal(err)
		}
		codec, _ := audio.FindCodec("PCMU", 8000, 1)
		if n := len(s.out); n > 0 {
			gap := p.Timestamp - s.out[n-1].Timestamp - 160
			s.pcm = append(s.pcm, make([]int16, min(gap, 1<<20))...)
		}
		s.out = append(s.out, p)
		s.pcm = codec.NewDecoder().Decode(s.pcm, p.Payload)
	}
	return s
}

// tick lets so many packets' time pass.
func (s *stand) tick(n int) {
	for range n {
		s.d.mix(s.now)
		s.now += duetTime
	}
}

// talker is a party that says a tone in a codec.
type talker struct {
	s     *stand
	flow  Flow
	pt    uint8
	codec audio.Codec
	enc   audio.Encoder
	seq   uint16
	ts    uint32
	ssrc  uint32
	hz    float64
	at    int // samples
	level float64
}

func (s *stand) talker(f Flow, pt uint8, hz float64) *talker {
	x := &talker{s: s, flow: f, pt: pt, hz: hz, ssrc: rand.Uint32() | 1, seq: uint16(rand.Uint32()), ts: rand.Uint32(), level: 6000}
	x.speak(pt)
	return x
}

func (x *talker) speak(pt uint8) {
	c := g711Types[pt]
	codec, ok := audio.FindCodec(c.Name, max(c.Clock, 8000), c.Channels)
	if !ok {
		x.s.t.Fatal(c)
	}
	x.pt, x.codec, x.enc = pt, codec, codec.NewEncoder()
}

// next makes the packet of the next 20 ms.
func (x *talker) next() (b []byte, h header) {
	n := x.codec.Rate / 50
	var pcm []int16
	for i := range n {
		v := int16(x.level * math.Sin(2*math.Pi*x.hz*float64(x.at+i)/float64(x.codec.Rate)))
		for range x.codec.Channels {
			pcm = append(pcm, v)
		}
	}
	x.at += n
	b = make([]byte, 12)
	b[0] = 0x80
	writeHeader(b, x.pt, x.seq, x.ts, x.ssrc)
	b = x.enc.Encode(b, pcm)
	x.seq++
	x.ts += uint32(x.codec.Ticks(int64(n)))
	h, _ = readHeader(b)
	return b, h
}

func (x *talker) put(b []byte, h header) {
	m := &x.s.d.tap.relay.mu
	m.Mutex.Lock()
	defer m.Mutex.Unlock()
	(&route{relay: x.s.d.tap.relay, flow: x.s.d.voices[x.flow].flow}).copy(b, &h, x.s.now)
}

func (x *talker) say() { x.put(x.next()) }

// energy is the level of a frequency in part of what has left, and that of all.
func (s *stand) energy(from, to int, hz float64) (tone, all float64) {
	pcm := s.pcm[from:min(to, len(s.pcm))]
	var re, im float64
	for i, v := range pcm {
		a := 2 * math.Pi * hz * float64(i) / g711Rate
		re += float64(v) * math.Cos(a)
		im += float64(v) * math.Sin(a)
		all += float64(v) * float64(v)
	}
	n := float64(len(pcm))
	return 2 * math.Hypot(re, im) / n, math.Sqrt(all / n)
}

func (s *stand) hears(what string, from, to int, hz float64, want bool) {
	s.t.Helper()
	tone, all := s.energy(from, to, hz)
	if want && (tone < 5000 || tone > 6600) || !want && tone > 60 {
		s.t.Errorf("%s: %v Hz at level %.0f of %.0f in samples %d to %d, wanted %v", what, hz, tone, all, from, to, want)
	}
}

// Whatever each party speaks, both are in the mix, each at its level, without a
// hole, on the mix's own clock.
func TestBothAreHeard(t *testing.T) {
	for _, pair := range [][2]uint8{{0, 8}, {8, 0}, {9, 11}, {97, 9}} {
		t.Run(fmt.Sprintf("%s and %s", g711Types[pair[0]].Name, g711Types[pair[1]].Name), func(t *testing.T) {
			s := newStand(t, DTMFPass)
			a, b := s.talker(AB, pair[0], 400), s.talker(BA, pair[1], 1000)
			for range 40 {
				a.say()
				b.say()
				s.tick(1)
			}
			s.hears("caller", 1600, 6400, 400, true)
			s.hears("callee", 1600, 6400, 1000, true)
			tone, all := s.energy(1600, 6400, 400)
			if rest := all*all - tone*tone; rest > 1.02*tone*tone { // 2 sines: half the square of each
				t.Errorf("tone %.0f, all %.0f: there is more in the mix", tone, all)
			}
			for i, p := range s.out {
				if i > 0 && (p.SequenceNumber != s.out[i-1].SequenceNumber+1 || p.Timestamp != s.out[i-1].Timestamp+160 || len(p.Payload) != 160) ||
					p.Marker != (i == 0) || p.SSRC != 9 || p.PayloadType != 0 {
					t.Fatalf("packet %d: %v", i, p.Header)
				}
			}
			if got, want := s.out[30].CSRC, []uint32{a.ssrc, b.ssrc}; !slices.Equal(got, want) {
				t.Errorf("contributors %v, want %v", got, want)
			}
		})
	}
}

// Opus is decoded as well: its silence is heard as silence, and the other party.
func TestOpusInAMix(t *testing.T) {
	s := newStand(t, DTMFPass)
	b := s.talker(BA, 0, 1000)
	for i := range 60 {
		p := opusSilence(make([]byte, 12), 960)
		p[0] = 0x80
		writeHeader(p, 96, uint16(i), uint32(i)*960, 7)
		h, _ := readHeader(p)
		(&talker{s: s, flow: AB}).put(p, h)
		b.say()
		s.tick(1)
	}
	s.hears("callee", 1600, 8000, 1000, true)
	if got := s.out[30].CSRC; !slices.Equal(got, []uint32{7, b.ssrc}) {
		t.Errorf("contributors %v", got)
	}
}

// Late, reordered, repeated and lost packets: what comes within the delay is in its
// place, and nothing makes the mix longer or shorter.
func TestTheWaysJitterIsNotHeard(t *testing.T) {
	s := newStand(t, DTMFPass)
	a := s.talker(AB, 0, 400)
	type due struct {
		b    []byte
		h    header
		tick int
	}
	var way []due
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		b, h := a.next()
		way = append(way, due{b, h, i + r.IntN(3)}) // up to 40 ms late
		if i%17 == 0 {
			way = append(way, due{b, h, i + 1})
		}
		for _, d := range way {
			if d.tick == i {
				a.put(slices.Clone(d.b), d.h)
			}
		}
		s.tick(1)
	}
	s.hears("caller", 3200, 56000, 400, true)
	for at := 3200; at < 56000; at += 800 {
		s.hears("caller", at, at+800, 400, true)
	}
	if n := len(s.out); n < 398 || n > 400 { // the first one may have been late
		t.Errorf("%d packets", n)
	}
	if d := s.d.tap.counts.dropped; d.Total() > 20 {
		t.Errorf("dropped %v", d)
	}
}

// Sources whose clocks are wrong by 700 in a million, for two minutes: the mix
// stays whole, and the delay within bounds.
func TestDriftingSources(t *testing.T) {
	for _, ppm := range []int{-700, 700} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			s := newStand(t, DTMFPass)
			a := s.talker(AB, 0, 400)
			b, h := a.next() // whatever it says
			sent, holes := 0, 0
			for i := range 6000 {
				for ; sent <= i+i*ppm/1000000; sent++ {
					a.put(b, h)
					h.seq++
					h.ts += 160
				}
				s.pcm = s.pcm[:0]
				s.tick(1)
				quiet := 0
				for _, v := range s.pcm {
					if v > -100 && v < 100 {
						quiet++
					}
				}
				if i > 10 && quiet > 40 {
					holes++
				}
			}
			v := &s.d.voices[AB]
			if holes > 3 || s.d.tap.counts.dropped.Total() > 0 || v.end-s.d.now > 2*voiceDelay+duetFrame {
				t.Errorf("%d holes, dropped %v, %d samples wait", holes, s.d.tap.counts.dropped, v.end-s.d.now)
			}
		})
	}
}

// The mix begins with the first packet, and goes on when one or both fall silent,
// change their source, their codec, or their clock's beginning.
func TestSilenceAndChanges(t *testing.T) {
	s := newStand(t, DTMFPass)
	s.tick(5)
	if len(s.out) != 0 {
		t.Fatal("a mix of nothing")
	}
	a, b := s.talker(AB, 0, 400), s.talker(BA, 8, 1000)
	part := func(what string, n int, first, second bool) {
		t.Helper()
		from := len(s.pcm)
		for range n {
			if first {
				a.say()
			}
			if second {
				b.say()
			}
			s.tick(1)
		}
		s.hears(what+", caller", from+1600, from+n*160, 400, first)
		s.hears(what+", callee", from+1600, from+n*160, 1000, second)
	}
	part("both", 50, true, true)
	part("caller alone", 50, true, false)
	part("none", 50, false, false)
	if n := len(s.out[len(s.out)-1].CSRC); n != 0 {
		t.Errorf("%d contributors to silence", n)
	}
	part("callee alone", 50, false, true)
	part("both again", 50, true, true)
	a.speak(9)
	part("another codec", 50, true, true)
	a.ssrc, a.seq, a.ts = a.ssrc+1, 9, 77
	part("another source", 50, true, true)
	b.seq, b.ts = 40000, b.ts+1<<30
	part("a restart", 50, true, true)
	a.pt = 18 // cannot be decoded
	part("a codec that nobody knows", 50, false, true)
	if n := len(s.out); n != 9*50 {
		t.Errorf("%d packets", n)
	}
}
