package audio

import "github.com/pion/opus"

// OpusRate is the rate of the PCM that an [OpusDecoder] gives.
const OpusRate = 8000

// maxOpus is how many samples a packet may hold: 120 ms (RFC 6716 §3.2.5).
const maxOpus = OpusRate * 120 / 1000

// OpusDecoder is the state of one Opus stream (RFC 6716). It gives mono PCM of
// 8000 Hz, of whatever mode, bandwidth and number of channels the packets are.
type OpusDecoder struct {
	d   opus.Decoder
	buf [maxOpus]int16
}

// NewOpusDecoder returns a decoder at the beginning of a stream.
func NewOpusDecoder() *OpusDecoder {
	d, err := opus.NewDecoderWithOutput(OpusRate, 1)
	if err != nil {
		return nil // not with this rate and one channel
	}
	return &OpusDecoder{d: d}
}

// Decode implements [Decoder]. A packet that cannot be decoded gives nothing.
func (o *OpusDecoder) Decode(dst []int16, payload []byte) (out []int16) {
	defer func() {
		if recover() != nil { // the library is young, and the packets are anybody's
			if fresh := NewOpusDecoder(); fresh != nil {
				*o = *fresh
			}
			out = dst
		}
	}()
	n, err := o.d.DecodeToInt16(payload, o.buf[:])
	if err != nil {
		return dst
	}
	return append(dst, o.buf[:n]...)
}
