package forker_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"sidetrack/forker"
	codec "sidetrack/internal/audio"
)

var codecs = map[uint8]forker.Codec{0: {Name: "PCMU"}, 18: {Name: "G729"}, 101: {Name: "telephone-event"}}

func forkRule(t testing.TB, c *call, cfg forker.TapConfig) (*forker.Tap, *peer) {
	t.Helper()
	tap, err := c.relay.Fork(0, forker.AB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	tap.SetCodecs(codecs)
	srs := newPeer(t, srsHost)
	tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0, 18: 18, 101: 101})
	return tap, srs
}

// event builds a telephone-event packet.
func event(seq uint16, ts uint32, end bool, duration uint16) []byte {
	b := rtp(101, seq, ts, 1)[:16]
	b[12], b[13] = 5, 10
	if end {
		b[13] |= 0x80
	}
	binary.BigEndian.PutUint16(b[14:], duration)
	return b
}

func audioPacket(pt uint8, seq uint16, ts uint32) []byte {
	return append(rtp(pt, seq, ts, 1)[:12], bytes.Repeat([]byte{0x55}, 160)...)
}

// digit is a source's second of life: two packets of audio, a digit of 80 ms
// whose end comes three times, two packets of audio.
func digit(pt uint8) [][]byte {
	first := event(3, 320, false, 160)
	first[1] |= 0x80
	return [][]byte{
		audioPacket(pt, 1, 0), audioPacket(pt, 2, 160),
		first, event(4, 320, false, 320), event(5, 320, false, 480),
		event(6, 320, true, 640), event(7, 320, true, 640), event(8, 320, true, 640),
		audioPacket(pt, 9, 960), audioPacket(pt, 10, 1120),
	}
}

func (c *call) play(packets [][]byte) {
	c.caller.t.Helper()
	for _, p := range packets {
		c.caller.send(c.toA, p)
		c.callee.want(p)
	}
}

// A masked digit is silence on a running clock; the callee and a tap without
// the rule get it as it is.
func TestMaskedDigit(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		tap, srs := forkRule(t, c, forker.TapConfig{Label: "1", DTMF: forker.DTMFMask})
		_, other := forkRule(t, c, forker.TapConfig{Label: "2"})
		c.play(digit(0))
		got := srs.sequel(8)
		for i, p := range got {
			want := byte(0x55)
			if i >= 2 && i < 6 {
				want = 0xff
			}
			if p.PayloadType != 0 || p.Marker || !bytes.Equal(p.Payload, bytes.Repeat([]byte{want}, 160)) && i < 6 {
				t.Errorf("copy %d: %v % x", i, p.Header, p.Payload[:4])
			}
		}
		for i, want := range digit(0) {
			raw, _ := other.recv()
			if p := parse(t, raw); !bytes.Equal(raw[12:], want[12:]) || p.PayloadType != want[1]&0x7f {
				t.Errorf("without the rule, copy %d: % x", i, raw[:16])
			}
		}
		if s := tap.Stats(); s.Copied != 8 || s.Dropped[forker.DropDTMF] != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// Audio that a source sends beside its events may hold the tone: it is silenced
// too, once for each time.
func TestAudioBesideEventsIsMasked(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		_, srs := forkRule(t, c, forker.TapConfig{Label: "1", DTMF: forker.DTMFMask})
		c.play([][]byte{
			audioPacket(0, 1, 0), event(2, 160, false, 160), audioPacket(0, 3, 160),
			audioPacket(0, 4, 320), event(5, 160, false, 320), event(6, 160, true, 480), audioPacket(0, 7, 480), audioPacket(0, 8, 640),
		})
		got := srs.sequel(5)
		for i, p := range got[1:4] {
			if p.Payload[0] != 0xff {
				t.Errorf("copy %d: %v % x", i+1, p.Header, p.Payload[:4])
			}
		}
	})
}

// Dropped digits leave no gap in the numbers, whatever the codec; masked ones
// neither where audio has been sent for their time.
func TestDroppedDigit(t *testing.T) {
	for name, rule := range map[string]forker.DTMF{"drop": forker.DTMFDrop, "mask": forker.DTMFMask} {
		t.Run(name, func(t *testing.T) {
			drivers(t, func(t *testing.T, cfg forker.Config) {
				c := newCall(t, newEngine(t, cfg))
				tap, srs := forkRule(t, c, forker.TapConfig{Label: "1", DTMF: rule})
				c.play(digit(18))
				var last uint16
				var first uint32
				for i, want := range []uint32{0, 160, 960, 1120} {
					raw, _ := srs.recv()
					p := parse(t, raw)
					if i == 0 {
						first = p.Timestamp
					}
					if p.PayloadType != 18 || i > 0 && p.SequenceNumber != last+1 || p.Timestamp-first != want {
						t.Errorf("copy %d (%d): %v", i, want, p.Header)
					}
					last = p.SequenceNumber
				}
				if s := tap.Stats(); s.Dropped[forker.DropDTMF] != 6 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A pause as silence: the clock runs, not an octet of what was said passes, and
// while there is no address nothing is kept.
func TestPauseAsSilence(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		tap, srs := forkRule(t, c, forker.TapConfig{Label: "1", Pause: forker.PauseSilence})
		c.play([][]byte{audioPacket(0, 1, 160)})
		srs.want1(0x55)
		tap.Pause()
		c.play([][]byte{audioPacket(0, 2, 320)})
		a := srs.want1(0xff)
		tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, nil)
		c.play([][]byte{event(3, 480, true, 160), audioPacket(0, 4, 640)})
		eventually(t, "seen", func() bool { return tap.Stats().In == 4 })
		tap.Resume()
		c.play([][]byte{audioPacket(0, 5, 800)})
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 1 })
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		if b := srs.want1(0x55); b != a+1 {
			t.Errorf("numbers %d and %d", a, b)
		}
		if s := tap.Stats(); s.Dropped[forker.DropPaused] != 2 || s.Dropped.Total() != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// want1 receives a copy of 160 such octets and gives its number.
func (p *peer) want1(octet byte) uint16 {
	p.t.Helper()
	raw, _ := p.recv()
	got := parse(p.t, raw)
	if !bytes.Equal(got.Payload, bytes.Repeat([]byte{octet}, 160)) {
		p.t.Fatalf("%v % x, want %x", got.Header, got.Payload, octet)
	}
	return got.SequenceNumber
}

// What goes out as silence is silence to a decoder, also after speech.
func TestSilenceIsSilent(t *testing.T) {
	for name, fill := range map[string]byte{"PCMU": 0xff, "PCMA": 0xd5, "G722": 0xff, "L16": 0} {
		c, ok := codec.FindCodec(name, 8000, 1)
		if !ok {
			t.Fatalf("no %s", name)
		}
		d := c.NewDecoder()
		d.Decode(nil, bytes.Repeat([]byte{0x25, 0x91, 0x4e, 0x13}, 400))
		d.Decode(nil, bytes.Repeat([]byte{fill}, 3200)) // a predictor forgets slowly
		for i, s := range d.Decode(nil, bytes.Repeat([]byte{fill}, 160)) {
			if s > 64 || s < -64 { // -54 dB
				t.Errorf("%s: sample %d is %d", name, i, s)
				break
			}
		}
	}
}

// A tap that begins paused keeps nothing of what comes before Resume, wherever it is to be sent meanwhile.
func TestTapBeginsPaused(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs := newPeer(t, srsHost)
		tap, err := c.relay.Fork(0, forker.AB, forker.TapConfig{Label: "1", Recorder: "main", Paused: true, Buffer: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		say := func(n uint16) {
			b := rtp(0, n, 160*uint32(n), 7)
			c.caller.send(c.toA, b)
			c.callee.want(b)
		}
		say(1)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		say(2)
		if s := tap.Stats(); !s.Paused || s.Copied+uint64(s.Buffered) != 0 || s.Dropped[forker.DropPaused] != 2 {
			t.Errorf("paused: %+v", s)
		}
		tap.Resume()
		say(3)
		raw, _ := srs.recv()
		if want := rtp(0, 3, 480, 7); !bytes.Equal(raw[12:], want[12:]) {
			t.Errorf("% x is the first copy", raw)
		}
		srs.silent()
	})
}
