package forker_test

import (
	"encoding/binary"
	"net/netip"
	"os"
	"testing"

	"sidetrack/forker"
	codec "sidetrack/internal/audio"
)

// voicePackets are half a second of 800 Hz in a codec.
func voicePackets(t *testing.T, c forker.Codec) (packets [][]byte, ticks uint32) {
	t.Helper()
	if c.Name == "opus" {
		b, err := os.ReadFile("../internal/audio/testdata/celt.opus")
		if err != nil {
			t.Fatal(err)
		}
		for len(b) >= 2 {
			n := int(binary.BigEndian.Uint16(b))
			packets, b = append(packets, b[2:2+n]), b[2+n:]
		}
		return packets, 960
	}
	f, _ := codec.FindCodec(c.Name, c.Clock, c.Channels)
	enc, n := f.NewEncoder(), f.Rate/50
	mono := codec.Sine(f.Rate, 800, .125, 25*n)
	for i := range 25 {
		var pcm []int16
		for _, v := range mono[i*n : (i+1)*n] {
			for range f.Channels {
				pcm = append(pcm, v)
			}
		}
		packets = append(packets, enc.Encode(nil, pcm))
	}
	return packets, uint32(f.Ticks(int64(n)))
}

// A recorder that takes only G.711 gets it: the same audio, packet for packet, 160
// ticks each, a lost packet still a loss; what it takes leaves as it is.
func TestTranscode(t *testing.T) {
	for name, c := range map[string]forker.Codec{
		"opus": {Name: "opus", Clock: 48000, Channels: 2}, "G722": {Name: "G722", Clock: 8000}, "L16": {Name: "L16", Clock: 16000},
		"L16 stereo": {Name: "L16", Clock: 44100, Channels: 2}, "PCMU": {Name: "PCMU", Clock: 8000},
	} {
		t.Run(name, func(t *testing.T) {
			lo, hi := portRange(16)
			k := newCall(t, newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi}))
			tap, srs := forkRule(t, k, forker.TapConfig{Label: "1", Transcode: true})
			tap.SetCodecs(map[uint8]forker.Codec{96: c, 8: {Name: "PCMA", Clock: 8000}, 101: {Name: "telephone-event", Clock: c.Clock}})
			tap.SendTo(netip.AddrPort{}, netip.AddrPort{}, nil)
			packets, ticks := voicePackets(t, c)
			send := func(i int) {
				k.play([][]byte{append(rtp(96, uint16(65530+i), uint32(i)*ticks-3*ticks, 1)[:12], packets[i]...)})
			}
			for i := range 5 { // kept until the recorder has answered
				send(i)
			}
			tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{8: 97, 101: 101})
			for i := 5; i < 24; i++ {
				if i != 20 {
					send(i)
				}
				if i == 10 && c.Clock != 8000 {
					k.play([][]byte{event(0, 7, false, 100)[:16]})
				}
			}
			pcma, _ := codec.FindCodec("PCMA", 8000, 1)
			var pcm []int16
			var first *uint16
			var seq uint16
			var ts uint32
			for i := range 24 {
				if i == 20 {
					continue
				}
				raw, _ := srs.recv()
				p := parse(t, raw)
				if first == nil {
					first, seq, ts = &p.SequenceNumber, p.SequenceNumber, p.Timestamp
				}
				late := p.Timestamp - ts - uint32(i)*160
				if c.Clock == 8000 && p.SequenceNumber != seq+uint16(i) || late != 0 || p.PayloadType != 97 {
					t.Errorf("packet %d: %+v, first %d and %d", i, p.Header, seq, ts)
				}
				pcm = pcma.NewDecoder().Decode(pcm, p.Payload)
			}
			if got := codec.Tone(pcm[800:3000], 8000, 800); got < .115 || got > .135 || len(pcm) < 23*159 {
				t.Errorf("%d samples, 800 Hz with %.3f", len(pcm), got)
			}
			tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{96: 96, 8: 97})
			send(24)
			raw, _ := srs.recv()
			if p := parse(t, raw); p.PayloadType != 96 || string(p.Payload) != string(packets[24]) {
				t.Errorf("what the recorder takes is %+v", p.Header)
			}
		})
	}
}

// What cannot be decoded is left out and counted, and so is all without a G.711 to
// go to.
func TestNotTranscoded(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		tap, srs := forkRule(t, c, forker.TapConfig{Label: "1", Transcode: true})
		tap.SetCodecs(map[uint8]forker.Codec{18: {Name: "G729"}, 96: {Name: "opus", Clock: 48000}, 9: {Name: "G722"}, 0: {Name: "PCMU"}})
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0})
		c.play([][]byte{audioPacket(18, 1, 0), append(rtp(96, 2, 160, 1)[:12], 0x1b, 0xff, 1), rtp(9, 3, 320, 1)[:12]})
		tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{101: 101})
		c.play([][]byte{audioPacket(9, 4, 480)})
		if s := tap.Stats(); s.Copied != 0 || s.Dropped[forker.DropUnmapped] != 4 {
			t.Errorf("%+v", s)
		}
		for codec, want := range map[string]bool{"opus": true, "G722": true, "PCMU": true, "G729": false, "telephone-event": false, "AMR": false} {
			if got := forker.Decodable(forker.Codec{Name: codec}); got != want {
				t.Errorf("%s: %v", codec, got)
			}
		}
	})
}
