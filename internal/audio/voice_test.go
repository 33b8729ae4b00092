package audio_test

import (
	"math"
	"testing"

	"sidetrack/internal/audio"
)

func TestVoicesAreTold(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for n := range 8 {
			pcm := make([]int16, 3*rate)
			audio.NewVoice(rate, n).Read(pcm)
			for other := range 8 {
				if got := audio.Heard(pcm, rate, other); got != (other == n) {
					t.Errorf("at %d Hz, voice %d: Heard(%d) = %v (%.3f)", rate, n, other, got,
						audio.Tone(pcm, rate, audio.VoiceTones(other)[0]))
				}
			}
		}
	}
}

func TestVoiceIsLikeSpeech(t *testing.T) {
	pcm := make([]int16, 8*8000)
	audio.NewVoice(8000, 0).Read(pcm)
	if level := audio.RMS(pcm); level < 0.05 || level > 0.35 {
		t.Errorf("level %.3f", level)
	}
	quiet := 0
	for i := 0; i+160 <= len(pcm); i += 160 {
		if audio.RMS(pcm[i:i+160]) < 0.005 {
			quiet++
		}
	}
	if part := float64(quiet) / 400; part < 0.03 || part > 0.3 {
		t.Errorf("%.0f %% of the time is pause", 100*part)
	}
	again := make([]int16, len(pcm))
	v := audio.NewVoice(8000, 0)
	v.Read(again[:777])
	v.Read(again[777:])
	if !equal(pcm, again) {
		t.Error("the same voice is not the same twice")
	}
}

func TestGoertzel(t *testing.T) {
	pcm := audio.Sine(8000, 1000, 0.25, 8000)
	if got := audio.Goertzel(pcm, 8000, 1000); math.Abs(got-0.25) > 0.001 {
		t.Errorf("amplitude %.4f, want 0.25", got)
	}
	if got := audio.Goertzel(pcm, 8000, 1200); got > 0.001 {
		t.Errorf("1200 Hz has %.4f", got)
	}
	if audio.Goertzel(nil, 8000, 1000) != 0 || audio.Tone(nil, 8000, 1000) != 0 || audio.RMS(nil) != 0 {
		t.Error("nothing is heard as something")
	}
}

func BenchmarkGoertzel(b *testing.B) {
	pcm := audio.Sine(8000, 1000, 0.25, 8000)
	b.ReportAllocs()
	for b.Loop() {
		audio.Tone(pcm, 8000, 1000)
	}
}
