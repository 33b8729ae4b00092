package forker_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sidetrack/forker"
	codec "sidetrack/internal/audio"
)

var mixable = map[string]forker.Codec{"PCMU": {Clock: 8000}, "PCMA": {Clock: 8000}, "G722": {Clock: 8000}, "L16": {Clock: 16000}, "L16/2": {Clock: 8000, Channels: 2}}

// toneCall is a call in which the callee talks in a codec and the caller hears it.
type toneCall struct {
	*call
	codec codec.Codec
	enc   codec.Encoder
	voice *codec.Voice // nil: silence
	seq   uint16
	ts    uint32
}

func newToneCall(t *testing.T, name string, c forker.Codec) *toneCall {
	t.Helper()
	c.Name, _, _ = strings.Cut(name, "/")
	lo, hi := portRange(16)
	k := &toneCall{call: newCall(t, newEngine(t, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi})), seq: 65500, ts: 1 << 31}
	k.codec, _ = codec.FindCodec(c.Name, c.Clock, c.Channels)
	k.enc = k.codec.NewEncoder()
	k.relay.SetCodecs(0, forker.BA, map[uint8]forker.Codec{0: c, 18: {Name: "G729"}, 101: {Name: "telephone-event"}})
	return k
}

// frame is the callee's next 20 ms.
func (k *toneCall) frame() []byte {
	pcm := make([]int16, k.codec.Rate/50)
	if k.voice != nil {
		k.voice.Read(pcm)
	}
	if k.codec.Channels == 2 {
		both := make([]int16, 0, 2*len(pcm))
		for _, v := range pcm {
			both = append(both, v, v)
		}
		pcm = both
	}
	b := append(rtp(0, k.seq, k.ts, 7)[:12], k.enc.Encode(nil, pcm)...)
	k.seq++
	k.ts += uint32(k.codec.Ticks(int64(k.codec.Rate / 50)))
	return b
}

// left is the first channel of interleaved ones.
func left(c codec.Codec, pcm []int16) (out []int16) {
	for i := 0; i < len(pcm); i += c.Channels {
		out = append(out, pcm[i])
	}
	return out
}

// hear sends packets and gives what the caller hears: the same header, the same
// size, and how many were not bit for bit what was sent.
func (k *toneCall) hear(n int) (pcm []int16, altered int) {
	k.caller.t.Helper()
	dec := k.codec.NewDecoder()
	for range n {
		b := k.frame()
		k.callee.send(k.toB, b)
		got, _ := k.caller.recv()
		if !bytes.Equal(got[:12], b[:12]) || len(got) != len(b) {
			k.caller.t.Fatalf("sent % x of %d, heard % x of %d", b[:12], len(b), got[:12], len(got))
		}
		if !bytes.Equal(got, b) {
			altered++
		}
		pcm = dec.Decode(pcm, got[12:])
	}
	return left(k.codec, pcm), altered
}

func within(got, want, part float64) bool { return math.Abs(got-want) <= part*want }

// The tone that a party hears is measured in what arrives: frequency, length,
// period and level, and nothing else of the packets has changed.
func TestTone(t *testing.T) {
	for name, c := range mixable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newToneCall(t, name, c)
			period := 2 * time.Second
			if name == "PCMU" {
				period = 15 * time.Second
			}
			packets := int(3 * period / (20 * time.Millisecond)) // three bursts
			_, before := k.hear(20)
			tone := forker.Tone{Hertz: 1400, Level: -20, Length: 500 * time.Millisecond, Period: period}
			k.relay.SetTone(forker.SideA, &tone)
			again := tone
			pcm, altered := k.hear(packets / 4)
			k.relay.SetTone(forker.SideA, &again) // goes on
			rest, more := k.hear(packets - packets/4)
			found := codec.Bursts(append(pcm, rest...), k.codec.Rate, 1400)
			if before != 0 || len(found) != 3 || altered+more > 3*26+3 {
				t.Fatalf("%d and %d packets altered, bursts %+v", before, altered+more, found)
			}
			for i, b := range found {
				if !within(b.Hertz, 1400, .001) || !within(b.Length, .5, .01) || !within(b.Amplitude, .1, .01) {
					t.Errorf("burst %+v", b)
				}
				if i > 0 && !within(b.Start-found[i-1].Start, period.Seconds(), .001) {
					t.Errorf("%.4f s after the one before", b.Start-found[i-1].Start)
				}
			}
			k.relay.SetTone(forker.SideA, nil)
			if _, altered := k.hear(120); altered != 0 {
				t.Errorf("%d packets altered afterwards", altered)
			}
		})
	}
}

// With the callee talking the tone is heard, and so is the callee, as before.
func TestToneUnderSpeech(t *testing.T) {
	for name, c := range mixable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newToneCall(t, name, c)
			k.voice = codec.NewVoice(k.codec.Rate, 3)
			k.relay.SetTone(forker.SideA, &forker.Tone{Hertz: 3000, Level: -14, Length: 200 * time.Millisecond, Period: time.Second})
			pcm, altered := k.hear(300)
			if altered < 50 || altered > 90 {
				t.Errorf("%d packets altered", altered)
			}
			at := 0.0
			if name == "G722" {
				at = .5
			}
			for i := range 5 {
				from := int((float64(i) + at + .05) * float64(k.codec.Rate))
				on := codec.Goertzel(pcm[from:from+k.codec.Rate/10], k.codec.Rate, 3000)
				off := codec.Goertzel(pcm[from+k.codec.Rate*3/10:from+k.codec.Rate*4/10], k.codec.Rate, 3000)
				if on < .17 || on > .23 || off > .03 {
					t.Errorf("burst %d: %.3f, behind it %.3f", i, on, off)
				}
			}
			for v := range 8 {
				if codec.Heard(pcm, k.codec.Rate, v) != (v == 3) {
					t.Errorf("voice %d", v)
				}
			}
		})
	}
}

// The recorder gets what was said, or what was heard where it is asked for; a
// padded packet with an extension keeps both towards the party, in the copy the padding;
// one of another codec keeps all.
func TestToneAndTheCopy(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		for _, copied := range []bool{false, true} {
			c := newCall(t, newEngine(t, cfg))
			tap, err := c.relay.Fork(0, forker.BA, forker.TapConfig{Label: "2"})
			if err != nil {
				t.Fatal(err)
			}
			tap.SetCodecs(codecs)
			srs := newPeer(t, srsHost)
			tap.SendTo(srs.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0, 18: 18})
			c.relay.SetCodecs(0, forker.BA, codecs)
			c.relay.SetTone(forker.SideA, &forker.Tone{Hertz: 1000, Level: -6, Length: time.Second, Period: time.Second, Copy: copied})

			b := rtp(0, 1, 160, 1)[:12]
			b[0] = 0xb0 // padding, extension
			b = binary.BigEndian.AppendUint32(b, 0xbede0001)
			b = append(b, 1, 2, 3, 4)
			b = append(b, bytes.Repeat([]byte{0xff}, 160)...)
			b = append(b, 0, 0, 3)
			c.callee.send(c.toB, b)
			got, _ := c.caller.recv()
			recorded, _ := srs.recv()
			if !bytes.Equal(got[:20], b[:20]) || !bytes.Equal(got[180:], b[180:]) || bytes.Equal(got[20:180], b[20:180]) {
				t.Errorf("heard % x", got)
			}
			want := b
			if copied {
				want = got
			}
			if recorded[0] != 0xa0 || !bytes.Equal(recorded[12:], want[20:]) {
				t.Errorf("recorded % x", recorded)
			}
			other := audioPacket(18, 2, 320)
			c.callee.send(c.toB, other)
			c.caller.want(other)
			c.relay.Close()
		}
	})
}

// A source that begins anew, loses packets or sends them out of order brings the
// tone at its pace.
func TestToneFollowsTheSource(t *testing.T) {
	k := newToneCall(t, "PCMU", forker.Codec{Clock: 8000})
	k.relay.SetTone(forker.SideA, &forker.Tone{Hertz: 1000, Level: -6, Length: 100 * time.Millisecond, Period: 2 * time.Second})
	pass := func(b []byte) (altered bool) {
		k.callee.send(k.toB, b)
		got, _ := k.caller.recv()
		return !bytes.Equal(got, b)
	}
	frames := make([][]byte, 120)
	for i := range frames {
		frames[i] = k.frame()
	}
	for _, p := range []struct {
		i    int
		tone bool
	}{{0, true}, {4, true}, {3, true}, {5, false}, {2, true}, {9, false}, {12, false}, {20, false}, {28, false}, {36, false}, {44, false}, {52, false}, {60, false}, {68, false}, {76, false}, {84, false}, {92, false}, {100, true}, {99, false}, {104, true}, {105, false}} {
		if pass(frames[p.i]) != p.tone {
			t.Errorf("packet %d: tone %v", p.i, !p.tone)
		}
	}
	fresh := rtp(0, 9, 77, 8)
	if pass(fresh) {
		t.Error("a new source begins with the tone")
	}
}
