package forker

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The frames were held against the decoders of libopus and FFmpeg: of Opus not
// a sample that is not zero, of G.729 31 of 32768 at most.
func TestSilenceOfCodecs(t *testing.T) {
	quiet := "00000020000bc000005e"
	for _, tt := range []struct {
		codec string
		like  string
		want  string
		ticks uint32
	}{
		{"PCMU", "010203", "ffffff", 3},
		{"pcma", "0102", "d5d5", 2},
		{"G722", "0102", "ffff", 2},
		{"L16", "01020304", "00000000", 2},
		{"G729", strings.Repeat("55", 20), quiet + quiet, 160},
		{"G729", strings.Repeat("55", 12), quiet + "0000", 160},
		{"G729", "5555", "0000", 80},
		{"opus", "78aabbcc", "f8fffe", 960},                          // hybrid, 20 ms
		{"opus", "c8", "e8fffe", 240},                                // CELT, 5 ms, nothing sent
		{"opus", "08aabb", "f8fffe", 960},                            // SILK, 20 ms
		{"opus", "10aabb", "fb02fffefffe", 1920},                     // SILK, 40 ms
		{"opus", "1baa", "", 0},                                      // 42 frames of 60 ms: no packet
		{"opus", "1b02aa", "fb06" + strings.Repeat("fffe", 6), 5760}, // two of 60 ms
		{"opus", "f9aabb", "fb02fffefffe", 1920},
		{"opus", "e303aabb", "e303" + strings.Repeat("fffe", 3), 360},
		{"opus", "", "", 0},
		{"opus", "03", "", 0},
		{"GSM", "0102", "", 0},
	} {
		like, _ := hex.DecodeString(tt.like)
		c := codingOf(Codec{Name: tt.codec})
		if got := c.ticksOf(like); got != tt.ticks {
			t.Errorf("%s %s: %d ticks, want %d", tt.codec, tt.like, got, tt.ticks)
		}
		if c.kind == kindUnknown {
			continue
		}
		if got := hex.EncodeToString(c.silenceLike(nil, like)); got != tt.want {
			t.Errorf("%s like %s: %s, want %s", tt.codec, tt.like, got, tt.want)
		}
	}
}

func TestSilenceOfALength(t *testing.T) {
	for _, tt := range []struct {
		codec string
		ticks int
		lasts uint32
	}{
		{"PCMU", 160, 160}, {"PCMU", 70000, maxMasked}, {"L16", 160, 160}, {"L16", 48000, maxMasked / 2},
		{"G729", 170, 160}, {"G729", 79, 0}, {"opus", 960, 960}, {"opus", 1000, 960}, {"opus", 119, 0}, {"opus", 48000, 5760},
	} {
		c := codingOf(Codec{Name: tt.codec})
		b := c.silenceFor(nil, tt.ticks)
		if got := c.ticksOf(b); got != tt.lasts {
			t.Errorf("%s for %d ticks: %d octets that last %d, want %d", tt.codec, tt.ticks, len(b), got, tt.lasts)
		}
	}
}

// FuzzSilence: whatever a payload claims, what stands for it lasts as long and
// holds nothing of it.
func FuzzSilence(f *testing.F) {
	for _, s := range []string{"", "78aabb", "1b02", "03", "f8fffe"} {
		b, _ := hex.DecodeString(s)
		f.Add(uint8(kindOpus), b)
		f.Add(uint8(kindG729), b)
		f.Add(uint8(kindL16), b)
	}
	f.Fuzz(func(t *testing.T, k uint8, payload []byte) {
		c := coding{kind: kind(k % (uint8(kindOpus) + 1)), channels: 1}
		if !c.silent() || len(payload) > 4000 {
			return
		}
		got := c.silenceLike(nil, payload)
		if c.ticksOf(got) != c.ticksOf(payload) {
			t.Errorf("%x lasts %d, its silence %x %d", payload, c.ticksOf(payload), got, c.ticksOf(got))
		}
		other := bytes.Clone(payload)
		for i := range other {
			if i > 1 {
				other[i] ^= 0x5a
			}
		}
		if !bytes.Equal(got, c.silenceLike(nil, other)) {
			t.Errorf("the silence for %x depends on what was said", payload)
		}
	})
}

// FuzzPayload: no header leads out of its packet.
func FuzzPayload(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x55})
	f.Add([]byte{0xb1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 0x55, 0x66, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := readHeader(b)
		if !ok {
			return
		}
		if p, ok := payloadOf(b, &h); !ok || len(p) != h.payload {
			t.Errorf("% x: %v, payload of %d", b, h, len(p))
		}
	})
}
