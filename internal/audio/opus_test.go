package audio_test

import (
	"encoding/binary"
	"os"
	"testing"

	"sidetrack/internal/audio"
)

// opusPackets reads half a second of 800 Hz, amplitude 1/8, as libopus has coded it: packets behind their lengths.
func opusPackets(t testing.TB, name string) (packets [][]byte) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".opus")
	if err != nil {
		t.Fatal(err)
	}
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		packets, b = append(packets, b[2:2+n]), b[2+n:]
	}
	return packets
}

func TestOpus(t *testing.T) {
	for _, mode := range []string{"celt", "silk", "hybrid"} {
		d, pcm := audio.NewOpusDecoder(), []int16(nil)
		for _, p := range opusPackets(t, mode) {
			pcm = d.Decode(pcm, p)
		}
		if len(pcm) != 4000 {
			t.Fatalf("%s: %d samples", mode, len(pcm))
		}
		if got := audio.Tone(pcm[2000:], audio.OpusRate, 800); got < .118 || got > .13 {
			t.Errorf("%s: 800 Hz with %.3f", mode, got)
		}
	}
}

// The silence that stands for a masked packet is silent, and the decoder goes on behind it.
func TestOpusSilence(t *testing.T) {
	d := audio.NewOpusDecoder()
	packets := opusPackets(t, "celt")
	for _, p := range packets[:10] {
		d.Decode(nil, p)
	}
	var pcm []int16
	for range 5 {
		pcm = d.Decode(pcm, []byte{0xf8, 0xff, 0xfe})
	}
	if got := audio.RMS(pcm[320:]); len(pcm) != 800 || got > 0 {
		t.Errorf("%d samples, level %f", len(pcm), got)
	}
	if got := d.Decode(nil, nil); len(got) > 960 {
		t.Errorf("nothing becomes %d samples", len(got))
	}
}

// FuzzOpus: whatever comes, there is no panic and no more than a packet's worth of audio.
func FuzzOpus(f *testing.F) {
	for _, mode := range []string{"celt", "silk", "hybrid"} {
		f.Add(opusPackets(f, mode)[3])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		d := audio.NewOpusDecoder()
		for range 2 {
			if got := d.Decode(nil, p); len(got) > 960 {
				t.Errorf("%d samples", len(got))
			}
		}
	})
}
