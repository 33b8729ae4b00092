package audio

// L16 is uncompressed 16-bit PCM in network byte order (RFC 3551 §4.5.11). It
// has no state, so one value serves any number of streams and channels.
type L16 struct{}

// Decode implements [Decoder].
func (L16) Decode(dst []int16, payload []byte) []int16 {
	for ; len(payload) >= 2; payload = payload[2:] {
		dst = append(dst, int16(uint16(payload[0])<<8|uint16(payload[1])))
	}
	return dst
}

// Encode implements [Encoder].
func (L16) Encode(dst []byte, pcm []int16) []byte {
	for _, s := range pcm {
		dst = append(dst, byte(uint16(s)>>8), byte(s))
	}
	return dst
}
