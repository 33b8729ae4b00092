package audio

import "math"

// voices are the tones of the parties, in hertz: inside the telephone band,
// no tone nor its neighbourhood shared by two parties, none of them a DTMF or
// call-progress frequency.
var voices = [][]float64{
	{390, 1060, 1830}, {560, 1270, 2290}, {450, 1150, 2020}, {640, 1400, 2510},
	{510, 980, 2130}, {720, 1540, 2680}, {330, 1690, 2390}, {830, 1750, 2860},
}

// VoiceTones returns the tones of party n (0, 1, 2, …), strongest first; from
// the eighth party on they repeat. The slice must not be changed.
func VoiceTones(n int) []float64 { return voices[n%len(voices)] }

// Voice makes audio that behaves like speech on a telephone line: a few tones
// between 300 and 3400 Hz under an envelope of syllables, words and pauses. The
// same arguments give the same samples.
type Voice struct {
	rate   int
	phase  []float64
	step   []float64
	weight []float64
	seed   uint32
	left   int // samples left in the present syllable or pause
	length int // its whole length
	spoken bool
	count  int // syllables in this word
}

// NewVoice returns the voice of party n at rate samples per second; tones at or
// above half the rate are left out.
func NewVoice(rate, n int) *Voice {
	v := &Voice{rate: rate, seed: uint32(n)*2654435761 + 1}
	for i, f := range VoiceTones(n) {
		if f < float64(rate)/2 {
			v.step = append(v.step, 2*math.Pi*f/float64(rate))
			v.weight = append(v.weight, 0.5/float64(i+1))
		}
	}
	v.phase = make([]float64, len(v.step))
	return v
}

// Read fills dst with the next samples.
func (v *Voice) Read(dst []int16) {
	for i := range dst {
		if v.left == 0 {
			v.next()
		}
		dst[i] = int16(v.sample() * v.envelope() * 20000)
		v.left--
	}
}

func (v *Voice) sample() float64 {
	sum := 0.0
	for i := range v.phase {
		sum += v.weight[i] * math.Sin(v.phase[i])
		v.phase[i] = math.Mod(v.phase[i]+v.step[i], 2*math.Pi)
	}
	return sum
}

// envelope rises and falls once per syllable and never reaches silence inside a
// word, as vowels joined by consonants do.
func (v *Voice) envelope() float64 {
	if !v.spoken {
		return 0
	}
	at := float64(v.length-v.left) / float64(v.length)
	return 0.15 + 0.85*math.Sin(math.Pi*at)*math.Sin(math.Pi*at)
}

// next chooses the length of the next syllable (140–260 ms) or, after two to
// five of them, of a pause (60–120 ms).
func (v *Voice) next() {
	if v.spoken && v.count == 0 {
		v.spoken = false
		v.length = v.milliseconds(60, 120)
	} else {
		if !v.spoken {
			v.count = 2 + int(v.random()%4)
		}
		v.spoken = true
		v.count--
		v.length = v.milliseconds(140, 260)
	}
	v.left = v.length
}

func (v *Voice) milliseconds(low, high uint32) int {
	return int(low+v.random()%(high-low+1)) * v.rate / 1000
}

func (v *Voice) random() uint32 {
	v.seed = v.seed*1664525 + 1013904223
	return v.seed >> 8
}

// Sine returns n samples of one steady tone, amplitude in parts of full scale.
func Sine(rate int, hertz, amplitude float64, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(amplitude * 32767 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	return pcm
}
