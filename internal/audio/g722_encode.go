package audio

// G722Encoder is the state of one G.722 stream at 64 kbit/s; it takes 16 kHz
// PCM and gives one byte for each two samples.
type G722Encoder struct {
	low, high g722Band
	in        qmf
}

// NewG722Encoder returns an encoder in the reset state of the Recommendation.
func NewG722Encoder() *G722Encoder {
	return &G722Encoder{low: g722Band{det: g722LowDet}, high: g722Band{det: g722HighDet}}
}

// Encode implements [Encoder].
func (g *G722Encoder) Encode(dst []byte, pcm []int16) []byte {
	for ; len(pcm) >= 2; pcm = pcm[2:] {
		even, odd := g.in.push(int(pcm[0]), int(pcm[1]))
		// 12 bits for the filter's gain, one for the sum of two halves, one
		// for the 15-bit sub-band signals.
		il := g.lower((even + odd) >> 14)
		ih := g.upper((even - odd) >> 14)
		dst = append(dst, byte(ih<<6|il))
	}
	return dst
}

func (g *G722Encoder) lower(x int) int {
	b := &g.low
	e := sat16(x - b.s)
	i := 1
	for size := magnitude(e); i < 30 && size >= g722Levels[i]*b.det>>12; {
		i++
	}
	il := g722LowCode(i, e < 0)
	ril := il >> 2
	d := b.det * g722Q4[ril] >> 15
	b.adaptLow(ril)
	b.update(d)
	return il
}

// g722HighLevel is the single decision level of the upper band's quantizer.
const g722HighLevel = 564

func (g *G722Encoder) upper(x int) int {
	b := &g.high
	e := sat16(x - b.s)
	ih := 3
	if magnitude(e) >= g722HighLevel*b.det>>12 {
		ih = 2
	}
	if e < 0 {
		ih -= 2
	}
	d := b.det * g722Q2[ih] >> 15
	b.adaptHigh(ih)
	b.update(d)
	return ih
}

// magnitude is the absolute value as the quantizers take it: one's complement
// for negative numbers, so that -32768 has one too.
func magnitude(v int) int {
	if v < 0 {
		return -(v + 1)
	}
	return v
}

// Follow makes the encoder go on where a decoder is: what it codes next is meant
// for a decoder that has had the same code words as that one.
func (g *G722Encoder) Follow(d *G722Decoder) { g.low, g.high = d.low, d.high }

// Hear takes pcm that is not to be coded, for what comes next follows on it.
func (g *G722Encoder) Hear(pcm []int16) {
	for ; len(pcm) >= 2; pcm = pcm[2:] {
		g.in.push(int(pcm[0]), int(pcm[1]))
	}
}
