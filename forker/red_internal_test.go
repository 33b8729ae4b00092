package forker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// block is an encoding in RED.
type block struct {
	pt      uint8
	payload []byte
}

// redPayload is RED of these blocks, the newest one last (RFC 2198 §3).
func redPayload(blocks ...block) (out []byte) {
	for i, b := range blocks[:len(blocks)-1] {
		out = append(out, 0x80|b.pt)
		out = binary.BigEndian.AppendUint16(out, uint16((len(blocks)-1-i)*160<<2|len(b.payload)>>8))
		out = append(out, byte(len(b.payload)))
	}
	out = append(out, blocks[len(blocks)-1].pt)
	for _, b := range blocks {
		out = append(out, b.payload...)
	}
	return out
}

const (
	ptRED    = 97
	ptRepair = 98
)

func newREDRig(t *testing.T, cfg TapConfig) *clockRig {
	g := newClockRig(t, Codec{Name: "PCMU", Clock: 8000}, 8000, cfg)
	codecs := map[uint8]Codec{
		ptVoice: g.codec, ptEvent: {Name: "telephone-event", Clock: 8000}, ptRED: {Name: "RED", Clock: 8000}, ptRepair: {Name: "flexfec-03", Clock: 8000},
	}
	g.tap.SetCodecs(codecs)
	g.relay.SetCodecs(0, AB, codecs)
	return g
}

// Of RED the newest block is copied, under its own type; what a rule says of keys, a mask or a pause, holds
// for it, and nothing of what was hidden comes back in the blocks after it.
func TestREDIsUnwrapped(t *testing.T) {
	voice := func(i int) block { return block{ptVoice, bytes.Repeat([]byte{byte(i)}, 160)} }
	key := func(i int, end byte) block { return block{ptEvent, []byte{5, 10 | end, 0, byte(i * 16)}} }
	for name, tc := range map[string]struct {
		cfg  TapConfig
		do   func(g *clockRig)
		want string
	}{
		"audio": {do: func(g *clockRig) {
			g.send(ptRED, 160, redPayload(voice(1)))
			g.send(ptRED, 320, redPayload(voice(1), voice(2)))
			g.send(ptRED, 480, redPayload(voice(1), voice(2), voice(3)))
			g.send(ptRED, 640, append(redPayload(voice(1), voice(2))[:4], 1)) // its blocks are not there
			g.send(ptRED, 800, []byte{0x80 | ptVoice, 0})
			g.send(ptRED, 960, redPayload(voice(6)))
		}, want: "96:01:0 96:02:160 96:03:320 96:06:800"},
		"key, passed": {do: func(g *clockRig) {
			g.send(ptVoice, 160, voice(1).payload)
			g.send(ptRED, 320, redPayload(voice(1), key(1, 0)))
			g.send(ptRED, 320, redPayload(key(1, 0), key(2, 0x80)))
			g.send(ptRED, 640, redPayload(key(2, 0x80), voice(4)))
		}, want: "96:01:0 101:05:160 101:05:160 96:04:480"},
		"key, dropped": {cfg: TapConfig{DTMF: DTMFDrop}, do: func(g *clockRig) {
			g.send(ptVoice, 160, voice(1).payload)
			g.send(ptRED, 320, redPayload(voice(1), key(10, 0)))
			g.send(ptRED, 320, redPayload(key(10, 0), key(20, 0x80)))
			g.send(ptRED, 640, redPayload(key(20, 0x80), voice(4)))
		}, want: "96:01:0 96:04:480"},
		"key, masked": {cfg: TapConfig{DTMF: DTMFMask}, do: func(g *clockRig) {
			g.send(ptVoice, 160, voice(1).payload)
			g.send(ptRED, 320, redPayload(voice(1), key(10, 0)))
			g.send(ptRED, 320, redPayload(key(10, 0), key(15, 0x80)))
			g.send(ptRED, 560+480, redPayload(key(15, 0x80), voice(4)))
		}, want: "96:01:0 96:ff:160 96:ff:320 96:04:880"},
		"mask": {do: func(g *clockRig) {
			g.send(ptRED, 160, redPayload(voice(1)))
			g.tap.Mask(PauseSilence)
			g.send(ptRED, 320, redPayload(voice(1), voice(2)))
			g.tap.Unmask()
			g.send(ptRED, 480, redPayload(voice(2), voice(3)))
		}, want: "96:01:0 96:ff:160 96:03:320"},
		"kept": {do: func(g *clockRig) {
			g.relay.engine.store.limit = 1 << 20
			g.relay.engine.hasty.Store(1000)
			g.tap.backlog = backlog{store: &g.relay.engine.store, limit: int64(time.Minute)}
			to := g.tap.rtp
			g.tap.rtp = netip.AddrPort{}
			g.send(ptRED, 160, redPayload(voice(1)))
			g.send(ptRED, 320, redPayload(voice(1), voice(2)))
			g.tap.rtp = to
			g.send(ptRED, 480, redPayload(voice(2), voice(3)))
		}, want: "96:01:0 96:02:160 96:03:320"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newREDRig(t, tc.cfg)
			beside := &sink{}
			second := &Tap{
				relay: g.relay, flow: g.tap.flow, totals: &recorderTotals{}, ssrc: 10, rtp: g.tap.rtp,
				pair: &portPair{rtp: beside, rtcp: &sink{}}, pt: g.tap.pt, codecs: g.tap.codecs,
			}
			g.tap.flow.taps = append(g.tap.flow.taps, second)
			packets := 0
			g.out.each = func(b []byte) {
				packets++
				if !bytes.Equal(b, g.whole) {
					t.Errorf("% x went on, % x came", b, g.whole)
				}
			}
			tc.do(g)
			var got []string
			for i, p := range g.left {
				got = append(got, fmt.Sprintf("%d:%02x:%d", p.pt, p.payload[0], p.ts-g.left[0].ts))
				if i > 0 && p.seq != g.left[i-1].seq+1 {
					t.Errorf("copy %d has number %d after %d", i, p.seq, g.left[i-1].seq)
				}
			}
			if packets != int(g.seq) {
				t.Errorf("%d of %d packets went on", packets, g.seq)
			}
			if h, ok := readHeader(beside.last); !ok || h.pt != ptVoice || h.payload != 160 || beside.last[12] != g.whole[len(g.whole)-1] {
				t.Errorf("another recorder got %+v at last", h)
			}
			if got := strings.Join(got, " "); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Header extension, contributing sources and padding stay where they belong.
func TestREDWithAllThatAPacketHas(t *testing.T) {
	g := newREDRig(t, TapConfig{})
	g.tap.extensions = &extensions{}
	g.tap.extensions.from.set(map[uint8]uint8{3: 5})
	g.tap.extensions.taken.set(map[uint8]uint8{5: 5})
	payload := redPayload(block{ptVoice, []byte("old")}, block{ptVoice, []byte("new")})
	b := []byte{0x80 | 0x20 | 0x10 | 1, 0x80 | ptRED, 0, 7, 0, 0, 0, 1, 0, 0, 0, 3, 9, 9, 9, 9, 0xbe, 0xde, 0, 1, 0x31, 1, 2, 0}
	b = append(append(b, payload...), 0, 0, 3)
	g.caller.handle(b, g.from, g.now)
	got := g.copies.last
	want := []byte{0x80 | 0x20 | 0x10 | 1, 0x80 | ptVoice}
	if !bytes.Equal(got[:2], want) || !bytes.Equal(got[12:], append([]byte{9, 9, 9, 9, 0xbe, 0xde, 0, 1, 0x51, 1, 2, 0}, "new\x00\x00\x03"...)) {
		t.Errorf("% x", got)
	}
	if c := g.tap.counts; c.payload != 3 {
		t.Errorf("%d octets of payload", c.payload)
	}
}

// Keys in RED are told once, and where they are not to go on none is in what does, as older block neither.
func TestKeysInRED(t *testing.T) {
	for _, swallow := range []bool{false, true} {
		g := newREDRig(t, TapConfig{})
		var told []Digit
		g.relay.OnDigit(func(d Digit) { told = append(told, d) })
		g.relay.SwallowDigits(SideA, swallow)
		var on []string
		g.out.each = func(b []byte) {
			h, _ := readHeader(b)
			payload, _ := payloadOf(b, &h)
			on = append(on, fmt.Sprintf("%d:%d:%x", h.pt, h.seq, payload))
		}
		end := block{ptEvent, []byte{5, 0x8a, 3, 32}}
		g.send(ptRED, 160, redPayload(block{ptVoice, []byte{1}}))
		g.send(ptRED, 320, redPayload(block{ptVoice, []byte{1}}, block{ptEvent, []byte{5, 10, 0, 160}}))
		for range 3 {
			g.send(ptRED, 320, redPayload(end, end))
		}
		g.send(ptRED, 1120, redPayload(end, block{ptVoice, []byte{2}}))
		if want := []Digit{{Side: SideA, Key: '5', Duration: 100 * time.Millisecond}}; !slices.Equal(told, want) {
			t.Errorf("told of %+v", told)
		}
		first, last := "97:1:6001", "97:2:6002"
		if swallow && !slices.Equal(on, []string{first, last}) || !swallow && (len(on) != 6 || on[0] != first) {
			t.Errorf("swallowed %v: %q went on", swallow, on)
		}
	}
}

// A mix hears what RED carries.
func TestREDInAMix(t *testing.T) {
	s := newStand(t, DTMFPass)
	a := s.talker(AB, 0, 400)
	s.d.voices[AB].codecs.set(map[uint8]Codec{0: {Name: "PCMU", Clock: 8000}, ptRED: {Name: "red", Clock: 8000}})
	f := s.d.voices[AB].flow
	route := &route{relay: s.d.tap.relay, flow: f}
	for range 50 {
		b, h := a.next()
		payload, _ := payloadOf(b, &h)
		b = append(slices.Clone(b[:rtpHeaderSize]), redPayload(block{0, make([]byte, 160)}, block{0, payload})...)
		b[1], h.pt, h.payload = ptRED, ptRED, len(b)-rtpHeaderSize
		route.copy(b, &h, s.now)
		s.tick(1)
	}
	s.hears("in RED", 1600, len(s.pcm), 400, true)
}

// What repairs other packets is left out, counted, and has no say about the numbers of the rest: a
// loss of the source stays one, also of what was kept until the recorder answered.
func TestRepairIsLeftOut(t *testing.T) {
	for name, ssrc := range map[string]uint32{"a source of its own": 8, "the same source": 3} {
		for _, late := range []bool{false, true} {
			g := newREDRig(t, TapConfig{})
			g.relay.engine.store.limit = 1 << 20
			g.relay.engine.hasty.Store(1000)
			g.tap.backlog = backlog{store: &g.relay.engine.store, limit: int64(time.Minute)}
			to := g.tap.rtp
			if late {
				g.tap.rtp = netip.AddrPort{}
			}
			own, seq := g.tap.ssrc, uint16(0)
			for i := range uint16(8) {
				if i == 6 {
					g.tap.rtp = to
				}
				repair := append([]byte{0x80, ptRepair, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "repairs"...)
				if ssrc == 3 {
					writeHeader(repair, ptRepair, seq, uint32(i)*160, ssrc)
					seq++
				} else {
					writeHeader(repair, ptRepair, 4000+i, 77*uint32(i), ssrc)
				}
				g.caller.handle(repair, g.from, int64(time.Hour)+int64(g.slot)*20e6)
				g.seq = seq - 1
				if i != 3 || ssrc == 3 { // lost; between two that are left out that could not be told
					g.send(ptVoice, uint32(i)*160, []byte{byte(i)})
				}
				g.slot++
				seq++
			}
			for g.tap.backlog.n > 0 {
				g.tap.catchUp(4, g.now)
			}
			lost := 8 - len(g.left)
			for i, p := range g.left {
				n := uint16(p.payload[0])
				if p.seq-g.left[0].seq != n || p.ts-g.left[0].ts != uint32(n)*160 || p.ssrc != own {
					t.Errorf("%s, late %v, copy %d: %+v, %d", name, late, i, p.header, n)
				}
			}
			if d := g.tap.counts.dropped; lost != int(ssrc/8) || d[DropRepair] != 8 || d.Total() != 8 || g.out.sent != 16-lost {
				t.Errorf("%s, late %v: %d copies, %v left out, %d went on", name, late, len(g.left), d, g.out.sent)
			}
		}
	}
}

func TestCopyable(t *testing.T) {
	for name, want := range map[string]bool{
		"PCMU": true, "telephone-event": true, "CN": true, "AMR": true, "H264": true, "t140": true,
		"red": false, "RED": false, "rtx": false, "ulpfec": false, "flexfec": false, "flexfec-03": false, "parityfec": false, "1d-interleaved-parityfec": false,
	} {
		if got := Copyable(Codec{Name: name}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestREDAllocatesNothing(t *testing.T) {
	g := newREDRig(t, TapConfig{DTMF: DTMFMask})
	g.copies.each = nil
	whole := append([]byte{0x80, ptRED, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, redPayload(block{ptVoice, make([]byte, 160)}, block{ptVoice, make([]byte, 160)})...)
	b := make([]byte, len(whole))
	var n uint32
	if got := testing.AllocsPerRun(500, func() {
		n++
		g.now += 20e6
		copy(b, whole)
		writeHeader(b, ptRED, uint16(n), n*160, 3)
		g.caller.handle(b, g.from, g.now)
	}); got != 0 || g.copies.sent < 500 {
		t.Errorf("%v allocations a packet, %d copies", got, g.copies.sent)
	}
}

// Whatever RED is said to be, nothing outside of the packet is read or written, and what is taken for the
// newest block is its end.
func FuzzRED(f *testing.F) {
	f.Add(redPayload(block{ptVoice, []byte("old")}, block{ptVoice, []byte("new")}))
	f.Add([]byte{0x80, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, payload []byte) {
		whole := append([]byte{0x90, ptRED, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 1, 2, 3, 4}, payload...)
		h, ok := readHeader(whole)
		if !ok {
			t.Skip("no RTP packet")
		}
		for _, f := range []func(b []byte, h *header) []byte{
			func(b []byte, h *header) []byte { b, _ = unwrapped(b, h); return b }, bared,
		} {
			own := h
			b := slices.Clone(whole)
			out := f(b[:len(b):len(b)], &own)
			again, ok := readHeader(out)
			again.pt = own.pt
			if !ok || again != own || !bytes.Equal(out[4:20], whole[4:20]) || !bytes.HasSuffix(whole, out[len(out)-max(own.payload-1, 0):]) {
				t.Fatalf("% x of % x, %+v", out, whole, own)
			}
		}
	})
}
