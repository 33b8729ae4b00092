package audio

import (
	"math"
	"time"
)

// Cadence is a tone that comes and goes: a sine wave for On out of each Period,
// the first burst at 0. What it gives depends on the place alone, so that pieces
// of it fit together in any order.
type Cadence struct {
	Hertz     float64
	Amplitude float64       // of the sine, in parts of full scale
	On        time.Duration // of a burst
	Period    time.Duration // from burst to burst; not above On: the tone does not stop
	Jitter    time.Duration // each burst but the first comes earlier or later by up to so much
	Seed      uint64        // of the jitter
}

// ramp is how long a burst takes to rise and to fall, so that it does not click.
const ramp = time.Millisecond

// Mix adds the tone to mono pcm, whose first sample has that number, and tells
// which part of pcm it has touched; none: from is not below to.
func (c *Cadence) Mix(pcm []int16, at int64, rate int) (from, to int) {
	return c.MixChannels(pcm, 1, at, rate)
}

// MixChannels is Mix for interleaved channels, all of which get the same; at,
// from and to count frames.
func (c *Cadence) MixChannels(pcm []int16, channels int, at int64, rate int) (from, to int) {
	frames := len(pcm) / channels
	from = frames
	c.each(at, at+int64(frames), rate, func(start, end int64) {
		lo, hi := max(start-at, 0), min(end-at, int64(frames))
		for i := lo; i < hi; i++ {
			v := c.sample(at+i-start, end-start, rate)
			for ch := range channels {
				s := &pcm[int(i)*channels+ch]
				*s = int16(max(-32768, min(32767, int(*s)+v)))
			}
		}
		from, to = min(from, int(lo)), max(to, int(hi))
	})
	return from, to
}

// Sounds tells whether the tone is heard anywhere between two frames.
func (c *Cadence) Sounds(from, to int64, rate int) (heard bool) {
	c.each(from, to, rate, func(int64, int64) { heard = true })
	return heard
}

// each calls f for the bursts that reach into [from, to), with their first frame
// and the one behind their last.
func (c *Cadence) each(from, to int64, rate int, f func(start, end int64)) {
	on, period, jitter := frames(c.On, rate), frames(c.Period, rate), frames(c.Jitter, rate)
	if on <= 0 || to <= 0 || from >= to {
		return
	}
	if period <= on {
		f(0, math.MaxInt64/2)
		return
	}
	for n := max((from-on-jitter)/period, 0); n*period-jitter < to; n++ {
		start := n * period
		if n > 0 && jitter > 0 {
			start += int64(scramble(c.Seed+uint64(n))%uint64(2*jitter+1)) - jitter
		}
		if start < to && start+on > from {
			f(start, start+on)
		}
	}
}

// sample is the value at frame i of a burst of n frames.
func (c *Cadence) sample(i, n int64, rate int) int {
	v := c.Amplitude * 32767 * math.Sin(2*math.Pi*c.Hertz*float64(i)/float64(rate))
	if edge, soft := float64(min(i+1, n-i)), float64(frames(ramp, rate)); edge < soft {
		v *= edge / soft
	}
	return int(math.Round(v))
}

func frames(d time.Duration, rate int) int64 {
	return int64(d/time.Second)*int64(rate) + int64(d%time.Second)*int64(rate)/int64(time.Second)
}

// scramble is a hash of a number (splitmix64).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Decibels turns a level in decibels of full scale, 0 or below, into an amplitude.
func Decibels(db float64) float64 { return math.Pow(10, db/20) }

// Burst is one sounding of a tone, as it was measured.
type Burst struct {
	Start, Length float64 // seconds
	Hertz         float64
	Amplitude     float64 // of the sine, in parts of full scale
}

// Bursts measures a tone near hertz that comes and goes in mono pcm with little
// else, or with what differs from it by 100 Hz and more: where it reaches half
// its amplitude, and how fast its phase turns between. Bursts below 30 ms are
// not told.
func Bursts(pcm []int16, rate int, hertz float64) (found []Burst) {
	env, phase := quadrature(pcm, rate, hertz)
	top := 0.0
	for _, v := range env {
		top = max(top, v)
	}
	if top < 0.001 {
		return nil
	}
	for i := 0; i < len(env); i++ {
		if env[i] < top/2 {
			continue
		}
		j := i
		for j < len(env) && env[j] >= top/2 {
			j++
		}
		if float64(j-i) >= 0.03*float64(rate) {
			found = append(found, burstOf(env, phase, i, j, rate, hertz))
		}
		i = j
	}
	return found
}

// burstOf measures the burst between two samples over its inner half.
func burstOf(env, phase []float64, i, j, rate int, hertz float64) Burst {
	a, b := i+(j-i)/4, j-(j-i)/4
	sum, turned := 0.0, 0.0
	for k := a; k < b; k++ {
		sum += env[k]
		if k > a {
			turned += math.Remainder(phase[k]-phase[k-1], 2*math.Pi)
		}
	}
	return Burst{
		Start: float64(i) / float64(rate), Length: float64(j-i) / float64(rate),
		Hertz:     hertz + turned/float64(b-1-a)*float64(rate)/(2*math.Pi),
		Amplitude: sum / float64(b-a),
	}
}

// quadrature shifts hertz to 0 and takes the mean over 20 ms: amplitude and phase
// of what is left, centred.
func quadrature(pcm []int16, rate int, hertz float64) (env, phase []float64) {
	n := rate / 50
	env, phase = make([]float64, len(pcm)), make([]float64, len(pcm))
	var re, im float64
	turn := func(i int) (x, y float64) {
		w := 2 * math.Pi * hertz * float64(i) / float64(rate)
		v := float64(pcm[i]) / 32768
		return v * math.Cos(w), -v * math.Sin(w)
	}
	for i := range pcm {
		x, y := turn(i)
		re, im = re+x, im+y
		if i >= n {
			x, y = turn(i - n)
			re, im = re-x, im-y
		}
		if at := i - n/2; at >= 0 {
			env[at], phase[at] = 2*math.Hypot(re, im)/float64(n), math.Atan2(im, re)
		}
	}
	return env, phase
}
