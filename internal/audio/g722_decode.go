package audio

// G722Decoder is the state of one G.722 stream at 64 kbit/s; it gives 16 kHz
// PCM, two samples for each byte.
type G722Decoder struct {
	low, high g722Band
	out       qmf
}

// NewG722Decoder returns a decoder in the reset state of the Recommendation.
func NewG722Decoder() *G722Decoder {
	return &G722Decoder{low: g722Band{det: g722LowDet}, high: g722Band{det: g722HighDet}}
}

// Decode implements [Decoder].
func (g *G722Decoder) Decode(dst []int16, payload []byte) []int16 {
	for _, code := range payload {
		rl := g.lower(int(code & 0x3f))
		rh := g.upper(int(code >> 6))
		even, odd := g.out.push(rl+rh, rl-rh)
		dst = append(dst, int16(sat16(even>>11)), int16(sat16(odd>>11)))
	}
	return dst
}

func (g *G722Decoder) lower(il int) int {
	b := &g.low
	out := limit15(b.s + b.det*g722Q6[il]>>15)
	ril := il >> 2
	d := b.det * g722Q4[ril] >> 15
	b.adaptLow(ril)
	b.update(d)
	return out
}

func (g *G722Decoder) upper(ih int) int {
	b := &g.high
	d := b.det * g722Q2[ih] >> 15
	out := limit15(b.s + d)
	b.adaptHigh(ih)
	b.update(d)
	return out
}

// limit15 is LIMIT: the sub-band signals have 15 bits.
func limit15(v int) int { return max(-16384, min(16383, v)) }
