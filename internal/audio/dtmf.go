package audio

import "math"

// DTMF frequencies (ITU-T Q.23): a row and a column make a key.
var (
	dtmfRows    = [4]float64{697, 770, 852, 941}
	dtmfColumns = [4]float64{1209, 1336, 1477, 1633}
	dtmfKeys    = [4]string{"123A", "456B", "789C", "*0#D"}
)

// DTMF returns n samples of the pair of tones of a key (0 to 9, *, #, A to D),
// each of that amplitude; silence for what is no key.
func DTMF(rate int, key byte, amplitude float64, n int) []int16 {
	for r, row := range dtmfKeys {
		for c := range row {
			if row[c] != key {
				continue
			}
			pcm, high := Sine(rate, dtmfRows[r], amplitude, n), Sine(rate, dtmfColumns[c], amplitude, n)
			for i := range pcm {
				pcm[i] += high[i]
			}
			return pcm
		}
	}
	return make([]int16, n)
}

// What a receiver takes for a key (ITU-T Q.24, AT&T's values).
const (
	dtmfBlock = 0.0133 // seconds looked at at once: 75 Hz wide, so that neighbours in a group are told apart
	dtmfFloor = 0.004  // amplitude of a tone, -48 dB of full scale
	dtmfTwist = 8.0    // decibels that one tone may be above the other
	dtmfShare = 0.7    // of the block's power that is in the two tones
	dtmfLeast = 2      // blocks in a row, some 27 ms
)

// FindDTMF tells which keys are heard in mono pcm, in order. It is meant to miss
// none that a receiver would take: it takes shorter and fainter ones as well.
func FindDTMF(pcm []int16, rate int) (keys string) {
	n := int(dtmfBlock * float64(rate))
	var last byte
	run := 0
	for ; n > 0 && len(pcm) >= n; pcm = pcm[n/2:] { // half overlapping
		key := dtmfKey(pcm[:n], rate)
		if key != last {
			last, run = key, 0
		}
		if run++; key != 0 && run == 2*dtmfLeast-1 {
			keys += string(key)
		}
	}
	return keys
}

// dtmfKey is the key that a block holds, 0 for none.
func dtmfKey(pcm []int16, rate int) byte {
	r, low, lowNext := strongest(pcm, rate, dtmfRows)
	c, high, highNext := strongest(pcm, rate, dtmfColumns)
	level := RMS(pcm)
	switch {
	case low < dtmfFloor || high < dtmfFloor, lowNext > low/2 || highNext > high/2:
		return 0
	case math.Abs(20*math.Log10(low/high)) > dtmfTwist:
		return 0
	case (low*low+high*high)/2 < dtmfShare*level*level:
		return 0
	}
	return dtmfKeys[r][c]
}

// strongest finds the loudest of a group and how loud the next one is.
func strongest(pcm []int16, rate int, group [4]float64) (best int, level, next float64) {
	for i, hertz := range group {
		switch v := Goertzel(pcm, rate, hertz); {
		case v > level:
			best, level, next = i, v, level
		case v > next:
			next = v
		}
	}
	return best, level, next
}
