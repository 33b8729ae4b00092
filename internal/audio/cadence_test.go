package audio_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"sidetrack/internal/audio"
)

// near tells whether got is within 1 % of want.
func near(got, want float64) bool { return math.Abs(got-want) <= 0.01*math.Abs(want) }

// A tone mixed in pieces of any size is measured as it was asked for.
func TestCadence(t *testing.T) {
	for _, c := range []audio.Cadence{
		{Hertz: 1400, Amplitude: 0.1, On: 500 * time.Millisecond, Period: 1500 * time.Millisecond},
		{Hertz: 1400, Amplitude: 0.05, On: 200 * time.Millisecond, Period: 700 * time.Millisecond},
		{Hertz: 425, Amplitude: 0.3, On: 300 * time.Millisecond, Period: 800 * time.Millisecond},
	} {
		for _, rate := range []int{8000, 16000, 44100} {
			pcm := make([]int16, 4*rate)
			for i, n := 0, 1; i < len(pcm); i, n = i+n, n%331+1 {
				c.Mix(pcm[i:min(i+n, len(pcm))], int64(i), rate)
			}
			whole := make([]int16, len(pcm))
			c.Mix(whole, 0, rate)
			if !slices.Equal(pcm, whole) {
				t.Errorf("%+v at %d Hz: pieces do not fit", c, rate)
			}
			found := audio.Bursts(pcm, rate, c.Hertz)
			if want := int(math.Ceil(float64(4*time.Second) / float64(c.Period))); len(found) != want {
				t.Fatalf("%+v at %d Hz: %d bursts, want %d", c, rate, len(found), want)
			}
			for i, b := range found {
				period := c.Period.Seconds()
				if i > 0 && !near(b.Start-found[i-1].Start, period) {
					t.Errorf("period %.4f, want %.4f", b.Start-found[i-1].Start, period)
				}
				if b.Start+c.On.Seconds() > 4 {
					continue
				}
				if !near(b.Hertz, c.Hertz) || !near(b.Length, c.On.Seconds()) || !near(b.Amplitude, c.Amplitude) {
					t.Errorf("%+v at %d Hz: heard %+v", c, rate, b)
				}
			}
		}
	}
}

func TestCadenceJitter(t *testing.T) {
	c := audio.Cadence{Hertz: 1000, Amplitude: 0.2, On: 200 * time.Millisecond, Period: time.Second, Jitter: 300 * time.Millisecond, Seed: 7}
	pcm := make([]int16, 20*8000)
	c.Mix(pcm, 0, 8000)
	found := audio.Bursts(pcm, 8000, 1000)
	if len(found) < 20 {
		t.Fatalf("%d bursts", len(found))
	}
	moved := false
	for i, b := range found[:20] {
		off := b.Start - float64(i)
		if math.Abs(off) > .303 || !near(b.Length, .2) {
			t.Errorf("burst %d at %.3f s, %.3f s long", i, b.Start, b.Length)
		}
		moved = moved || math.Abs(off) > .05
	}
	if !moved {
		t.Error("no burst is early or late")
	}
}

func TestCadenceEdges(t *testing.T) {
	loud := []int16{32767, -32768, 32767, -32768}
	c := audio.Cadence{Hertz: 1000, Amplitude: 1, On: time.Second}
	if from, to := c.MixChannels(loud, 2, 1, 8000); from != 0 || to != 2 || loud[0] != 32767 {
		t.Errorf("%d to %d: %v", from, to, loud)
	}
	if from, to := c.Mix(nil, 0, 8000); from < to {
		t.Errorf("nothing was touched from %d to %d", from, to)
	}
	if (&audio.Cadence{}).Sounds(0, 1e9, 8000) {
		t.Error("a tone of no length is heard")
	}
	if !c.Sounds(1<<40, 1<<40+1, 8000) || c.Sounds(-5, 0, 8000) {
		t.Error("a tone without a period does not last, or begins before it does")
	}
	if got := audio.Decibels(-20); !near(got, 0.1) {
		t.Errorf("-20 dB is %f", got)
	}
	if audio.Bursts(make([]int16, 8000), 8000, 1400) != nil {
		t.Error("a tone is heard in silence")
	}
}

// The encoder that follows a decoder in the middle of a stream makes no break.
func TestG722Follow(t *testing.T) {
	voice := make([]int16, 32000)
	audio.NewVoice(16000, 2).Read(voice)
	stream := audio.NewG722Encoder().Encode(nil, voice)
	dec, far, enc := audio.NewG722Decoder(), audio.NewG722Decoder(), audio.NewG722Encoder()
	var heard []int16
	for i := 0; i < len(stream); i += 160 {
		payload := stream[i : i+160]
		pcm := dec.Decode(nil, payload)
		if i < len(stream)/2 {
			enc.Hear(pcm)
		} else {
			if i == len(stream)/2 {
				enc.Follow(dec)
			}
			payload = enc.Encode(nil, pcm)
		}
		heard = far.Decode(heard, payload)
	}
	if got, want := snr(voice[16000:], heard[16000:], 80), snr(voice[:16000], heard[:16000], 80); got < 9 || want < 20 {
		t.Errorf("signal to noise %.1f dB behind the change, %.1f dB before", got, want)
	}
}
