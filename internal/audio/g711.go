package audio

// ITU-T G.711. Both laws are decoded by table and encoded by table as well: the
// decoder's 256 values are fixed by the standard's formula, the encoder's index
// is the top 14 (µ-law) or 13 (A-law) bits of the sample, which is all that the
// laws distinguish.

const (
	ulawBias = 0x84
	ulawClip = 32635
)

var (
	ulawDecode = buildTable(ulawExpand)
	alawDecode = buildTable(alawExpand)
	ulawEncode = buildULawEncode()
	alawEncode = buildALawEncode()
)

type ulaw struct{}

func (ulaw) Decode(dst []int16, payload []byte) []int16 {
	for _, b := range payload {
		dst = append(dst, ulawDecode[b])
	}
	return dst
}

func (ulaw) Encode(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, ulawEncode[uint16(s)>>2])
	}
	return dst
}

type alaw struct{}

func (alaw) Decode(dst []int16, payload []byte) []int16 {
	for _, b := range payload {
		dst = append(dst, alawDecode[b])
	}
	return dst
}

func (alaw) Encode(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, alawEncode[uint16(s)>>3])
	}
	return dst
}

func buildTable(expand func(byte) int16) (t [256]int16) {
	for i := range t {
		t[i] = expand(byte(i))
	}
	return t
}

// ulawExpand inverts the µ-law: all bits are sent inverted, three bits of
// segment, four of step.
func ulawExpand(b byte) int16 {
	b = ^b
	magnitude := (int(b&0x0f)<<3+ulawBias)<<(b>>4&7) - ulawBias
	if b&0x80 != 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

// alawExpand inverts the A-law: even bits are sent inverted, and segment 0 has
// no hidden leading one.
func alawExpand(b byte) int16 {
	b ^= 0x55
	magnitude := int(b&0x0f)<<4 + 8
	if seg := b >> 4 & 7; seg > 0 {
		magnitude = (magnitude + 0x100) << (seg - 1)
	}
	if b&0x80 == 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

func buildULawEncode() (t [1 << 14]byte) {
	for i := range t {
		t[i] = ulawCompress(int(int16(uint16(i) << 2)))
	}
	return t
}

func buildALawEncode() (t [1 << 13]byte) {
	for i := range t {
		t[i] = alawCompress(int(int16(uint16(i) << 3)))
	}
	return t
}

func ulawCompress(s int) byte {
	sign := byte(0)
	if s < 0 {
		s, sign = -s, 0x80
	}
	s = min(s, ulawClip) + ulawBias
	seg := segment(s >> 7)
	return ^(sign | seg<<4 | byte(s>>(seg+3))&0x0f)
}

func alawCompress(s int) byte {
	sign := byte(0x80)
	if s < 0 {
		s, sign = -s-1, 0
	}
	s = min(s, 32767)
	seg := segment(s >> 8)
	if s >= 0x100 {
		seg++
	}
	step := byte(s>>4) & 0x0f
	if seg > 0 {
		step = byte(s>>(seg+3)) & 0x0f
	}
	return (sign | seg<<4 | step) ^ 0x55
}

// segment is the position of the highest set bit of v, 0 for v of 0 or 1.
func segment(v int) byte {
	seg := byte(0)
	for v > 1 && seg < 7 {
		v >>= 1
		seg++
	}
	return seg
}
