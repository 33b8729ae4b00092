package audio

// ITU-T G.722 at 64 kbit/s. Two bands of an ADPCM coder: the lower with 6 bits
// a code word, the upper with 2; a 24-tap quadrature mirror filter splits and
// joins them. The names of the steps below are those of the block diagrams in
// the Recommendation (§3 and its Tables), so that a reader can hold both side by side.

// g722Band is the adaptive predictor and quantizer scale of one band.
type g722Band struct {
	s, sz int    // predictor output, and its zero section alone
	r     [3]int // reconstructed signal, newest first
	p     [3]int // partially reconstructed signal, newest first
	a     [3]int // pole coefficients a1, a2 at [1], [2]
	d     [7]int // quantized differences, newest first
	b     [7]int // zero coefficients at [1..6]
	nb    int    // logarithmic quantizer scale
	det   int    // linear quantizer scale
}

// The quantizer scale starts at its smallest value in both bands.
const (
	g722LowDet  = 32
	g722HighDet = 8
)

func sat16(v int) int { return max(-32768, min(32767, v)) }

// adaptLow is LOGSCL and SCALEL: the lower band's scale after code word ril.
func (b *g722Band) adaptLow(ril int) {
	b.nb = max(0, min(18432, b.nb*127>>7+g722WL[g722RL4[ril]]))
	b.det = scale(b.nb, 8)
}

// adaptHigh is LOGSCH and SCALEH: the upper band's scale after code word ih.
func (b *g722Band) adaptHigh(ih int) {
	b.nb = max(0, min(22528, b.nb*127>>7+g722WH[g722RH2[ih]]))
	b.det = scale(b.nb, 10)
}

// scale turns the logarithmic scale into the linear one.
func scale(nb, shift int) int {
	mantissa := g722ILB[nb>>6&31]
	if e := shift - nb>>11; e >= 0 {
		return mantissa >> e << 2
	} else {
		return mantissa << -e << 2
	}
}

// update feeds one quantized difference to the predictor: RECONS, PARREC,
// UPPOL2, UPPOL1, UPZERO, DELAYA, then FILTEP, FILTEZ, PREDIC.
func (b *g722Band) update(d int) {
	b.d[0] = d
	b.r[0] = sat16(b.s + d)
	b.p[0] = sat16(b.sz + d)
	a1, a2 := b.poles()
	b.zeros()
	copy(b.d[1:], b.d[:6])
	copy(b.r[1:], b.r[:2])
	copy(b.p[1:], b.p[:2])
	b.a[1], b.a[2] = a1, a2
	b.predict()
}

// poles is UPPOL2 and UPPOL1; the second coefficient is found first because it
// limits the first.
func (b *g722Band) poles() (a1, a2 int) {
	same := func(i int) bool { return b.p[0] < 0 == (b.p[i] < 0) }
	w := sat16(b.a[1] << 2)
	if same(1) {
		w = min(-w, 32767)
	}
	a2 = -128
	if same(2) {
		a2 = 128
	}
	a2 += w>>7 + b.a[2]*32512>>15
	a2 = max(-12288, min(12288, a2))

	a1 = -192
	if same(1) {
		a1 = 192
	}
	a1 = sat16(a1 + b.a[1]*32640>>15)
	limit := sat16(15360 - a2)
	return max(-limit, min(limit, a1)), a2
}

// zeros is UPZERO: a sign-sign LMS step of the six zero coefficients.
func (b *g722Band) zeros() {
	step := 128
	if b.d[0] == 0 {
		step = 0
	}
	for i := 1; i < 7; i++ {
		w := -step
		if b.d[i] < 0 == (b.d[0] < 0) {
			w = step
		}
		b.b[i] = sat16(w + b.b[i]*32640>>15)
	}
}

func (b *g722Band) predict() {
	sp := sat16(b.a[1]*sat16(2*b.r[1])>>15 + b.a[2]*sat16(2*b.r[2])>>15)
	sz := 0
	for i := 6; i > 0; i-- {
		sz += b.b[i] * sat16(2*b.d[i]) >> 15
	}
	b.sz = sat16(sz)
	b.s = sat16(sp + b.sz)
}

// qmf is the delay line of the quadrature mirror filter, oldest pair first.
type qmf [24]int

// push shifts in one pair and returns the two halves of the filter.
func (x *qmf) push(v0, v1 int) (even, odd int) {
	copy(x[:], x[2:])
	x[22], x[23] = v0, v1
	for i, c := range g722QMF {
		odd += x[2*i] * c
		even += x[2*i+1] * g722QMF[11-i]
	}
	return even, odd
}
