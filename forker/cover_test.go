package forker_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/rtp"

	"sidetrack/forker"
	codec "sidetrack/internal/audio"
)

// A masked copy goes on packet by packet, with the source's numbers and clock and
// nothing of what is said; the other party hears all of it. It is exact to the
// packet, and of a codec without a known silence nothing leaves.
func TestMaskedCopy(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		tap, srs := forkRule(t, c, forker.TapConfig{Label: "1"})
		tap.SetCodecs(map[uint8]forker.Codec{0: {Name: "PCMU"}, 18: {Name: "G729"}, 96: {Name: "opus", Clock: 48000}, 3: {Name: "GSM"}, 101: {Name: "telephone-event"}})
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0, 18: 18, 96: 96, 3: 3, 101: 101})
		c.play([][]byte{audioPacket(0, 1, 0)})
		srs.want1(0x55)
		tap.Mask(forker.PauseSilence)
		c.play([][]byte{audioPacket(0, 2, 160), event(3, 320, true, 160), audioPacket(3, 4, 480), audioPacket(0, 5, 640)})
		got := srs.packets(2)
		if !bytes.Equal(got[0].Payload, bytes.Repeat([]byte{0xff}, 160)) || got[1].Timestamp-got[0].Timestamp != 480 {
			t.Errorf("%v, %v", got[0].Header, got[1].Header)
		}
		tap.Unmask()
		c.play([][]byte{audioPacket(0, 6, 800)})
		srs.want1(0x55)
		tap.Mask(forker.PauseStop)
		c.play([][]byte{audioPacket(0, 7, 960)})
		tap.Mask(forker.PauseSilence)
		opus := append(rtp(96, 8, 1120, 1)[:12], 0x78, 1, 2, 3)
		c.play([][]byte{opus})
		raw, _ := srs.recv()
		if p := parse(t, raw); hex.EncodeToString(p.Payload) != "f8fffe" {
			t.Errorf("Opus: %x", p.Payload)
		}
		if s := tap.Stats(); s.Dropped[forker.DropPaused] != 3 || s.Paused {
			t.Errorf("%+v", s)
		}
	})
}

// packets are the next ones, one number apart.
func (p *peer) packets(n int) (out []*pion.Packet) {
	p.t.Helper()
	for range n {
		raw, _ := p.recv()
		out = append(out, parse(p.t, raw))
		if last := len(out) - 1; last > 0 && out[last].SequenceNumber != out[last-1].SequenceNumber+1 {
			p.t.Errorf("%v after %v", out[last].Header, out[last-1].Header)
		}
	}
	return out
}

// What is said under a mask before there is an address is not kept either.
func TestMaskedBeforeAnAddress(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		tap, srs := forkRule(t, c, forker.TapConfig{Label: "1"})
		tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, nil)
		tap.Mask(forker.PauseSilence)
		c.play([][]byte{audioPacket(0, 1, 0), audioPacket(3, 2, 160)})
		tap.Unmask()
		c.play([][]byte{audioPacket(0, 3, 320)})
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0})
		got := srs.packets(2)
		if got[0].Payload[0] != 0xff || got[1].Payload[0] != 0x55 || got[1].Timestamp-got[0].Timestamp != 320 {
			t.Errorf("%v %x, %v %x", got[0].Header, got[0].Payload[0], got[1].Header, got[1].Payload[0])
		}
	})
}

// The beeps are measured in what the recorder gets, in each codec.
func TestBeeps(t *testing.T) {
	for name, c := range map[string]forker.Codec{"PCMU": {Clock: 8000}, "PCMA": {Clock: 8000}, "G722": {Clock: 8000}, "L16": {Clock: 16000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Name = name
			f, _ := codec.FindCodec(name, c.Clock, 1)
			voice := codec.NewVoice(f.Rate, 1)
			record := func() (heard []int16, pause time.Duration) {
				lo, hi := portRange(16)
				k := newCall(t, newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}))
				tap, srs := forkRule(t, k, forker.TapConfig{Label: "1"})
				tap.SetCodecs(map[uint8]forker.Codec{0: c})
				tap.Mask(forker.PauseBeep)
				enc, dec := f.NewEncoder(), f.NewDecoder()
				said, last := make([]int16, f.Rate/50), time.Now()
				for i := range 250 {
					voice.Read(said)
					b := append(rtp(0, uint16(i), uint32(int(f.Ticks(int64(len(said))))*i), 1)[:12], enc.Encode(nil, said)...)
					k.play([][]byte{b})
					raw, _ := srs.recv()
					heard = dec.Decode(heard, parse(t, raw).Payload)
					pause, last = max(pause, time.Since(last)), time.Now()
				}
				return heard, pause
			}
			heard, pause := record()
			for try := 0; try < 5 && pause > time.Second; try++ { // a busy machine: the beeps keep to the time of a hold
				heard, pause = record()
			}
			found := codec.Bursts(heard, f.Rate, 1000)
			if len(found) != 3 {
				t.Fatalf("%d beeps: %+v", len(found), found)
			}
			for i, b := range found {
				if off := math.Abs(b.Start - 2*float64(i)); off > .005 || math.Abs(b.Hertz-1000) > 1 || math.Abs(b.Length-.2) > .003 || math.Abs(b.Amplitude-codec.Decibels(-30)) > .002 {
					t.Errorf("%+v", b)
				}
			}
			for v := range 8 {
				if codec.Heard(heard[f.Rate/2:], f.Rate, v) {
					t.Errorf("voice %d is heard", v)
				}
			}
			if quiet := codec.RMS(heard[f.Rate/2 : f.Rate*19/10]); quiet > .001 {
				t.Errorf("between the beeps it is %.4f loud", quiet)
			}
		})
	}
}

// A key dialled with events and tones at once, as gateways do, is in the copy
// where it passes and nowhere where it is masked, also when the tone lasts longer than the event.
func TestNoKeyIsHeardUnderMask(t *testing.T) {
	const dialled = "4111#*90AD"
	for name, c := range map[string]forker.Codec{"PCMU": {Clock: 8000}, "PCMA": {Clock: 8000}, "G722": {Clock: 8000}, "L16": {Clock: 16000}, "PCMU, longer": {Clock: 8000}, "L16, longer": {Clock: 16000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			name, how, _ := strings.Cut(name, ", ")
			longer := map[string]int{"longer": 3}[how]
			c.Name = name
			clock := c.Clock // of the events
			if longer > 0 {
				clock = 8000
			}
			lo, hi := portRange(16)
			k := newCall(t, newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}))
			f, _ := codec.FindCodec(name, c.Clock, 1)
			heard := map[string]string{}
			var srss []*peer
			var taps []*forker.Tap
			for _, rule := range []forker.DTMF{forker.DTMFPass, forker.DTMFMask, forker.DTMFDrop} {
				tap, srs := forkRule(t, k, forker.TapConfig{DTMF: rule})
				tap.SetCodecs(map[uint8]forker.Codec{0: c, 101: {Name: "telephone-event", Clock: clock}})
				srss, taps = append(srss, srs), append(taps, tap)
			}
			k.play(dialledPackets(f, dialled, clock, longer))
			for i, rule := range []string{"pass", "mask", "drop"} {
				dec, pcm := f.NewDecoder(), []int16(nil)
				for range taps[i].Stats().Copied {
					raw, _ := srss[i].recv()
					if p := parse(t, raw); p.PayloadType == 0 {
						pcm = dec.Decode(pcm, p.Payload)
					}
				}
				heard[rule] = codec.FindDTMF(pcm, f.Rate)
			}
			if heard["pass"] != dialled || heard["mask"] != "" {
				t.Errorf("dialled %q, heard %q", dialled, heard)
			}
		})
	}
}

// dialledPackets are keys of 100 ms with as much silence between: for each 20 ms
// the tone and, while it lasts, an event of that clock; then its end, three times. So many packets more have the tone.
func dialledPackets(f codec.Codec, keys string, clock, longer int) (out [][]byte) {
	enc, n := f.NewEncoder(), f.Rate/50
	step, lasts := uint32(f.Ticks(int64(n))), uint16(clock/50)
	var seq uint16
	var ts uint32
	add := func(b []byte) { seq++; out = append(out, b) }
	tone := func(pcm []int16) {
		add(append(rtp(0, seq, ts, 1)[:12], enc.Encode(nil, pcm)...))
		ts += step
	}
	for i := range keys {
		pcm, code := codec.DTMF(f.Rate, keys[i], .2, (5+longer)*n), byte(slices.Index([]byte("0123456789*#ABCD"), keys[i]))
		start := ts
		for j := range 5 {
			add(key(code, event(seq, start, false, lasts*uint16(j+1))))
			tone(pcm[j*n : (j+1)*n])
		}
		for range 3 {
			add(key(code, event(seq, start, true, lasts*5)))
		}
		for j := range longer {
			tone(pcm[(5+j)*n : (6+j)*n])
		}
		for range 5 {
			tone(make([]int16, n))
		}
	}
	return out
}
