package audio

import "math"

// resampleTaps is the half width of the filter in samples of the slower side.
const resampleTaps = 12

// Resampler converts one mono stream from one rate to another with a windowed
// sinc filter, so that a recording keeps its clock when the codec changes. Its
// output has exactly the length in time of its input; the filter's delay is the
// half width, about a millisecond.
type Resampler struct {
	from, to int
	history  []float64 // last input samples, newest last
	taken    int64     // input samples so far
	given    int64     // output samples so far
	width    float64   // half width in input samples
	cutoff   float64   // in cycles per input sample, times two
}

// NewResampler returns a converter; both rates are frames per second above 0.
func NewResampler(from, to int) *Resampler {
	cutoff := min(1, float64(to)/float64(from))
	width := resampleTaps / cutoff
	return &Resampler{from: from, to: to, cutoff: cutoff, width: width, history: make([]float64, 2*int(width)+2)}
}

// Convert appends the converted samples of pcm to dst.
func (r *Resampler) Convert(dst, pcm []int16) []int16 {
	for _, s := range pcm {
		copy(r.history, r.history[1:])
		r.history[len(r.history)-1] = float64(s)
		r.taken++
		for r.given*int64(r.from) < r.taken*int64(r.to) {
			// Where the output sample lies before the newest input sample.
			back := float64(r.taken) - float64(r.given)*float64(r.from)/float64(r.to)
			dst = append(dst, r.at(back-1))
			r.given++
		}
	}
	return dst
}

// at filters around the centre of the history, moved back by a fraction.
func (r *Resampler) at(back float64) int16 {
	centre := float64(len(r.history)-1) - r.width - back
	sum := 0.0
	for i := max(0, int(math.Ceil(centre-r.width))); i < len(r.history) && float64(i) <= centre+r.width; i++ {
		x := float64(i) - centre
		sum += r.history[i] * r.cutoff * sinc(x*r.cutoff) * hann(x/r.width)
	}
	return int16(max(-32768, min(32767, math.Round(sum))))
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func hann(x float64) float64 { return 0.5 + 0.5*math.Cos(math.Pi*x) }
