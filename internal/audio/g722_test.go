package audio_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"sidetrack/internal/audio"
)

// integerSignal needs no floating point, so it is the same on every machine: a
// triangle of falling pitch with noise, from silence to full scale.
func integerSignal(n int) []int16 {
	pcm := make([]int16, n)
	seed := uint32(1)
	for i := range pcm {
		seed = seed*1664525 + 1013904223
		period := 20 + i/100
		triangle := i % period * 65535 / period
		v := (triangle-32768)*i/n + int(seed>>22) - 512
		pcm[i] = int16(max(-32768, min(32767, v)))
	}
	return pcm
}

// The two sums are those of an independent implementation (FFmpeg's) for the
// same input; the coder is defined to the bit, so any difference is an error.
func TestG722IsExact(t *testing.T) {
	const codeSum, pcmSum = 0xbd06535f, 0x9d34ab04
	code := audio.NewG722Encoder().Encode(nil, integerSignal(32000))
	if got := crc32.ChecksumIEEE(code); got != codeSum {
		t.Errorf("code words sum to %#08x, want %#08x", got, uint32(codeSum))
	}
	var out []byte
	for _, s := range audio.NewG722Decoder().Decode(nil, code) {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	if got := crc32.ChecksumIEEE(out); got != pcmSum {
		t.Errorf("decoded samples sum to %#08x, want %#08x", got, uint32(pcmSum))
	}
}

func TestG722StateBelongsToOneStream(t *testing.T) {
	code := audio.NewG722Encoder().Encode(nil, integerSignal(3200))
	whole := audio.NewG722Decoder().Decode(nil, code)
	dec := audio.NewG722Decoder()
	parts := dec.Decode(nil, code[:160])
	parts = dec.Decode(parts, code[160:])
	if !equal(whole, parts) {
		t.Error("a stream cut into payloads decodes differently")
	}
}
