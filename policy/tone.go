package policy

import "time"

// Tone is heard by the parties of a call, now and then, while it is recorded.
type Tone struct {
	Hertz  float64
	Level  float64       // of the sine wave, in decibels of full scale: 0 or below
	Length time.Duration // of a burst
	Period time.Duration // from burst to burst
	Jitter time.Duration // each burst but the first comes earlier or later by up to so much
	Side   Tracks        // who hears it
	Copy   bool          // the recorder hears it, too
}

// ToneFS1037C is the recorder warning tone of US Federal Standard 1037C: 1400 Hz
// for half a second every 15 seconds.
func ToneFS1037C() Tone {
	return Tone{Hertz: 1400, Level: -24, Length: 500 * time.Millisecond, Period: 15 * time.Second, Side: TracksBoth}
}

// ToneFCC1948 is the older form of the FCC's orders of 1947 and 1948: 0.2 s every
// 12 to 18 seconds.
func ToneFCC1948() Tone {
	t := ToneFS1037C()
	t.Length, t.Jitter = 200*time.Millisecond, 3*time.Second
	return t
}
