package audio_test

import (
	"math"
	"testing"

	"sidetrack/internal/audio"
)

func codec(t testing.TB, name string) audio.Codec {
	t.Helper()
	clock := 8000
	if name == "L16" {
		clock = 16000
	}
	c, ok := audio.FindCodec(name, clock, 1)
	if !ok {
		t.Fatalf("FindCodec(%q) knows no such codec", name)
	}
	return c
}

// snr is the ratio of signal to error in decibels, after the delay that fits best.
func snr(in, out []int16, maxDelay int) float64 {
	best := math.Inf(-1)
	for d := 0; d <= maxDelay; d++ {
		var signal, noise float64
		for i := 400; i+d < len(out) && i < len(in); i++ {
			e := float64(in[i]) - float64(out[i+d])
			signal += float64(in[i]) * float64(in[i])
			noise += e * e
		}
		best = max(best, 10*math.Log10(signal/max(noise, 1e-9)))
	}
	return best
}

func TestRoundTrip(t *testing.T) {
	tests := []struct {
		name    string
		minimum float64 // decibels
		delay   int
	}{
		{"PCMU", 34, 0}, {"PCMA", 34, 0}, {"G722", 20, 40}, {"L16", 90, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := codec(t, tt.name)
			in := make([]int16, c.Rate)
			audio.NewVoice(c.Rate, 1).Read(in)
			var out []int16
			enc, dec := c.NewEncoder(), c.NewDecoder()
			for i := 0; i+320 <= len(in); i += 320 {
				payload := enc.Encode(nil, in[i:i+320])
				if got := c.PayloadFrames(len(payload)); got != 320 {
					t.Fatalf("PayloadFrames(%d) = %d, want 320", len(payload), got)
				}
				out = dec.Decode(out, payload)
			}
			if got := snr(in, out, tt.delay); got < tt.minimum {
				t.Errorf("signal to noise %.1f dB, want %.0f at least", got, tt.minimum)
			}
		})
	}
}

func TestToneKeepsItsFrequency(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "L16"} {
		c := codec(t, name)
		for _, hertz := range []float64{400, 1000, 2200, 3300} {
			pcm := c.NewDecoder().Decode(nil, c.NewEncoder().Encode(nil, audio.Sine(c.Rate, hertz, 0.5, c.Rate)))
			if got := audio.Tone(pcm[800:], c.Rate, hertz); got < 0.45 || got > 0.55 {
				t.Errorf("%s at %.0f Hz: amplitude %.3f, want 0.5", name, hertz, got)
			}
			if got := audio.Tone(pcm[800:], c.Rate, hertz+150); got > 0.02 {
				t.Errorf("%s: %.0f Hz is heard at %.0f Hz too (%.3f)", name, hertz, hertz+150, got)
			}
		}
	}
}

func TestG722UpperBand(t *testing.T) {
	c := codec(t, "G722")
	pcm := c.NewDecoder().Decode(nil, c.NewEncoder().Encode(nil, audio.Sine(16000, 6000, 0.3, 16000)))
	if got := audio.Tone(pcm[800:], 16000, 6000); got < 0.2 {
		t.Errorf("6 kHz comes out with amplitude %.3f, want 0.3", got)
	}
}

// The values are G.711's own: end points and the quietest codes of both laws.
func TestG711Values(t *testing.T) {
	tests := []struct {
		codec string
		code  byte
		want  int16
	}{
		{"PCMU", 0x00, -32124}, {"PCMU", 0x80, 32124}, {"PCMU", 0xff, 0}, {"PCMU", 0x7f, 0}, {"PCMU", 0xfe, 8}, {"PCMU", 0x7e, -8},
		{"PCMA", 0x55, -8}, {"PCMA", 0xd5, 8}, {"PCMA", 0x2a, -32256}, {"PCMA", 0xaa, 32256}, {"PCMA", 0x54, -24},
	}
	for _, tt := range tests {
		if got := codec(t, tt.codec).NewDecoder().Decode(nil, []byte{tt.code}); got[0] != tt.want {
			t.Errorf("%s %#02x = %d, want %d", tt.codec, tt.code, got[0], tt.want)
		}
	}
}

// Decoding and encoding again must give the same code word, and no sample may
// be further from its decoded value than half the step of its segment.
func TestG711Exhaustive(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA"} {
		c := codec(t, name)
		enc, dec := c.NewEncoder(), c.NewDecoder()
		for i := range 256 {
			pcm := dec.Decode(nil, []byte{byte(i)})
			again := dec.Decode(nil, enc.Encode(nil, pcm))
			if again[0] != pcm[0] {
				t.Errorf("%s code %#02x: %d becomes %d", name, i, pcm[0], again[0])
			}
		}
		for s := -32768; s <= 32767; s++ {
			got := int(dec.Decode(nil, enc.Encode(nil, []int16{int16(s)}))[0])
			size := max(s, -s)
			if diff := max(got-s, s-got); diff > 8+size/30 {
				t.Fatalf("%s: %d becomes %d", name, s, got)
			}
		}
	}
}

func TestFindCodec(t *testing.T) {
	tests := []struct {
		name            string
		clock, channels int
		rate            int
		ok              bool
	}{
		{"pcmu", 8000, 0, 8000, true}, {"PCMA", 8000, 1, 8000, true}, {"g722", 8000, 1, 16000, true},
		{"L16", 44100, 2, 44100, true}, {"G722", 16000, 1, 0, false}, {"PCMU", 8000, 2, 0, false},
		{"opus", 48000, 2, 0, false}, {"L16", 0, 1, 0, false}, {"L16", 1 << 30, 1, 0, false}, {"telephone-event", 8000, 1, 0, false},
	}
	for _, tt := range tests {
		c, ok := audio.FindCodec(tt.name, tt.clock, tt.channels)
		if ok != tt.ok || ok && c.Rate != tt.rate {
			t.Errorf("FindCodec(%q, %d, %d) = %+v, %v", tt.name, tt.clock, tt.channels, c, ok)
		}
	}
}

func TestResampler(t *testing.T) {
	for _, r := range [][2]int{{16000, 8000}, {8000, 16000}, {44100, 16000}, {8000, 48000}} {
		in := audio.Sine(r[0], 1000, 0.5, r[0])
		conv := audio.NewResampler(r[0], r[1])
		var out []int16
		for i := 0; i+100 <= len(in); i += 100 {
			out = conv.Convert(out, in[i:i+100])
		}
		if got := len(out); got < r[1]-1 || got > r[1]+1 {
			t.Errorf("%d → %d: one second became %d samples", r[0], r[1], got)
		}
		if got := audio.Tone(out[1000:], r[1], 1000); got < 0.48 || got > 0.52 {
			t.Errorf("%d → %d: amplitude %.3f, want 0.5", r[0], r[1], got)
		}
	}
	alias := audio.NewResampler(16000, 8000).Convert(nil, audio.Sine(16000, 6500, 0.5, 16000))
	if got := audio.Tone(alias, 8000, 1500); got > 0.02 {
		t.Errorf("6.5 kHz folds back to 1.5 kHz with %.3f", got)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "L16"} {
		b.Run(name, func(b *testing.B) {
			c := codec(b, name)
			payload := c.NewEncoder().Encode(nil, audio.Sine(c.Rate, 700, 0.5, c.Rate/50))
			dec, pcm := c.NewDecoder(), make([]int16, 0, 1024)
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				pcm = dec.Decode(pcm[:0], payload)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "L16"} {
		b.Run(name, func(b *testing.B) {
			c := codec(b, name)
			pcm := audio.Sine(c.Rate, 700, 0.5, c.Rate/50)
			enc, payload := c.NewEncoder(), make([]byte, 0, 2048)
			b.ReportAllocs()
			for b.Loop() {
				payload = enc.Encode(payload[:0], pcm)
			}
		})
	}
}
