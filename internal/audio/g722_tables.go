package audio

// Tables of ITU-T G.722 §6 (Tables 14 to 22 of the SB-ADPCM description).
var (
	// g722QMF is one half of the symmetric 24-tap filter.
	g722QMF = [12]int{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}
	// g722WL and g722WH are the logarithmic scale multipliers of the bands.
	g722WL = [8]int{-60, -30, 58, 172, 334, 538, 1198, 3042}
	g722WH = [3]int{0, -214, 798}
	// g722RL4 and g722RH2 map code words to those multipliers.
	g722RL4 = [16]int{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0}
	g722RH2 = [4]int{2, 1, 2, 1}
	// g722ILB is the antilogarithm, 32 steps an octave.
	g722ILB = [32]int{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383,
		2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371,
		3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
	// g722Q2, g722Q4 and g722Q6 are the inverse quantizers: upper band, lower
	// band as the predictor sees it, lower band at full resolution.
	g722Q2 = [4]int{-7408, -1616, 7408, 1616}
	g722Q4 = [16]int{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	g722Q6 = [64]int{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704,
		-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
		-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
		10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
		1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	// g722Levels are the decision levels of the lower band's quantizer.
	g722Levels = [30]int{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650,
		714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
	}
)

// g722LowCode is the lower band's code word for decision interval i (1..30) of
// a negative or positive difference.
func g722LowCode(i int, negative bool) int {
	switch {
	case !negative:
		return 62 - i
	case i <= 2:
		return 64 - i
	default:
		return 34 - i
	}
}
