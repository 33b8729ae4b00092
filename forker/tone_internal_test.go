package forker

import (
	"testing"
	"time"

	"sidetrack/internal/audio"
)

// toneBurst is a mixer in the middle of a burst, and a packet for it.
func toneBurst(name string) (m *mixer, c coding, b []byte, h header) {
	c = codingOf(Codec{Name: name})
	b = append([]byte{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9}, make([]byte, 160)...)
	h, _ = readHeader(b)
	m = &mixer{toning: &toning{cadence: audio.Cadence{Hertz: 1400, Amplitude: .1, On: time.Hour}}}
	return m, c, b, h
}

// Mixing allocates nothing, once its memory is there.
func TestToneAllocatesNothing(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA", "G722", "L16"} {
		m, c, b, h := toneBurst(name)
		var dst []byte
		step := func() {
			if out, ok := m.mix(dst, b, &h, c, 8000, 1); ok {
				dst = out
			}
			h.ts += 160
		}
		for range 100 { // G.722 is followed for a while first
			step()
		}
		if dst == nil {
			t.Fatalf("%s: no tone", name)
		}
		if n := testing.AllocsPerRun(200, step); n > 0 {
			t.Errorf("%s: %v allocations a packet", name, n)
		}
	}
}

func BenchmarkTone(b *testing.B) {
	for _, name := range []string{"PCMU", "G722"} {
		b.Run(name, func(b *testing.B) {
			m, c, p, h := toneBurst(name)
			var dst []byte
			for range 100 {
				dst, _ = m.mix(dst, p, &h, c, 8000, 1)
				h.ts += 160
			}
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = m.mix(dst, p, &h, c, 8000, 1)
				h.ts += 160
			}
		})
	}
}
