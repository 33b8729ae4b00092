package audio

import "math"

// Goertzel is the amplitude, in parts of full scale, of the component of pcm at
// the given frequency: 1 for a full-scale sine of exactly that frequency, near 0
// without one. Its bandwidth is rate/len(pcm) hertz.
func Goertzel(pcm []int16, rate int, hertz float64) float64 {
	if len(pcm) == 0 {
		return 0
	}
	w := 2 * math.Pi * hertz / float64(rate)
	c := 2 * math.Cos(w)
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)/32768+c*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return 2 * math.Sqrt(max(power, 0)) / float64(len(pcm))
}

// toneBlock is the length over which [Tone] looks at once: long enough to tell
// tones 50 Hz apart, short enough to ride over a syllable's envelope.
const toneBlock = 0.04 // seconds

// Tone is the level of one frequency over any length of mono pcm: the root mean
// square of [Goertzel] over blocks of 40 ms. Unlike one long Goertzel it does
// not suffer from modulation, gaps or jumps of phase.
func Tone(pcm []int16, rate int, hertz float64) float64 {
	n := int(toneBlock * float64(rate))
	if len(pcm) < n || n == 0 {
		return Goertzel(pcm, rate, hertz)
	}
	sum, blocks := 0.0, 0
	for ; len(pcm) >= n; pcm = pcm[n:] {
		g := Goertzel(pcm[:n], rate, hertz)
		sum += g * g
		blocks++
	}
	return math.Sqrt(sum / float64(blocks))
}

// RMS is the root mean square of pcm in parts of full scale.
func RMS(pcm []int16) float64 {
	if len(pcm) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum/float64(len(pcm))) / 32768
}

// voiceFloor is the level of its strongest tone below which a party is not
// heard: a [Voice] gives 0.15 and more, codec noise 0.001.
const voiceFloor = 0.03

// Heard tells whether party n's [Voice] is in pcm (mono).
func Heard(pcm []int16, rate, n int) bool {
	return Tone(pcm, rate, VoiceTones(n)[0]) > voiceFloor
}
