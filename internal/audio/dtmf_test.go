package audio_test

import (
	"testing"

	"sidetrack/internal/audio"
)

const allKeys = "1234567890*#ABCD"

// dial is keys of that length with as much silence between, each tone of that
// amplitude.
func dial(rate int, keys string, amplitude, seconds float64) (pcm []int16) {
	n := int(seconds * float64(rate))
	for i := range keys {
		pcm = append(pcm, make([]int16, n)...)
		pcm = append(pcm, audio.DTMF(rate, keys[i], amplitude, n)...)
	}
	return append(pcm, make([]int16, n)...)
}

func TestFindDTMF(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, amplitude := range []float64{0.4, 0.1, 0.01} {
			for _, seconds := range []float64{0.04, 0.08, 0.2} {
				if got := audio.FindDTMF(dial(rate, allKeys, amplitude, seconds), rate); got != allKeys {
					t.Errorf("%d Hz, amplitude %.2f, %.0f ms: %q", rate, amplitude, 1000*seconds, got)
				}
			}
		}
	}
}

func TestFindDTMFThroughCodecs(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "L16"} {
		c := codec(t, name)
		pcm := c.NewDecoder().Decode(nil, c.NewEncoder().Encode(nil, dial(c.Rate, "0042*#7", 0.2, 0.08)))
		if got := audio.FindDTMF(pcm, c.Rate); got != "0042*#7" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Neither voices nor single tones are keys.
func TestFindDTMFElsewhere(t *testing.T) {
	for n := range 8 {
		pcm := make([]int16, 10*8000)
		audio.NewVoice(8000, n).Read(pcm)
		if got := audio.FindDTMF(pcm, 8000); got != "" {
			t.Errorf("voice %d: %q", n, got)
		}
	}
	for _, hertz := range []float64{697, 1209, 1400, 440} {
		if got := audio.FindDTMF(audio.Sine(8000, hertz, 0.5, 8000), 8000); got != "" {
			t.Errorf("%.0f Hz: %q", hertz, got)
		}
	}
	if got := audio.FindDTMF(make([]int16, 8000), 8000); got != "" {
		t.Errorf("silence: %q", got)
	}
}
