package forker

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

var headerSeeds = [][]byte{
	{},
	{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3},
	{0x80, 0xff, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3},
	{0x81, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 'x'},
	{0x90, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0, 'x'},
	{0xa0, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 'x', 0, 0, 3},
	{0xa0, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9},
	{0x8f, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3},
	{0x90, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0xff, 0xff},
	{0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0},
	{0x00, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0},
}

func TestReadHeader(t *testing.T) {
	want := []int{-1, 0, 3, 1, 1, 1, -1, -1, -1, -1, -1} // payload; -1: no RTP
	for i, b := range headerSeeds {
		h, ok := readHeader(b)
		if ok != (want[i] >= 0) || ok && h.payload != want[i] {
			t.Errorf("% x: payload %d %v, want %d", b, h.payload, ok, want[i])
		}
	}
}

// What we take for RTP another implementation takes for RTP, and reads the same.
func FuzzRTPHeader(f *testing.F) {
	for _, b := range headerSeeds {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := readHeader(b)
		if isRTCP(b) && ok {
			t.Fatal("both RTP and RTCP")
		}
		if !ok {
			return
		}
		var want rtp.Header
		size, err := want.Unmarshal(b)
		if err != nil {
			return // its check of extension elements is stricter; we do not read them
		}
		if h.pt != want.PayloadType || h.marker != want.Marker || h.seq != want.SequenceNumber || h.ts != want.Timestamp || h.ssrc != want.SSRC {
			t.Fatalf("%+v, want %+v", h, want)
		}
		if h.payload < 0 || h.payload > len(b)-size && !want.Extension {
			t.Fatalf("payload %d of %d after a header of %d", h.payload, len(b), size)
		}
	})
}

// Rewriting changes the four numbers and nothing else.
func FuzzRewrite(f *testing.F) {
	for _, b := range headerSeeds {
		f.Add(b, uint8(96), uint16(65535), uint32(1), uint32(2))
	}
	f.Fuzz(func(t *testing.T, b []byte, pt uint8, seq uint16, ts, ssrc uint32) {
		before, ok := readHeader(b)
		if !ok {
			return
		}
		if pt &= 0x7f; rtcpType(pt) || rtcpType(pt|0x80) {
			return // not a payload type (RFC 5761 §4)
		}
		in := bytes.Clone(b)
		writeHeader(b, pt, seq, ts, ssrc)
		after, ok := readHeader(b)
		if want := (header{pt: pt, marker: before.marker, seq: seq, ts: ts, ssrc: ssrc, payload: before.payload, extension: before.extension}); !ok || after != want {
			t.Fatalf("%+v %v, want %+v", after, ok, want)
		}
		if b[0] != in[0] || b[1]&0x80 != in[1]&0x80 || !bytes.Equal(b[12:], in[12:]) {
			t.Fatalf("% x became % x", in, b)
		}
	})
}

func BenchmarkReadHeader(b *testing.B) {
	p := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, make([]byte, 160)...)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := readHeader(p); !ok {
			b.Fatal("no RTP")
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	p := append([]byte{0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, make([]byte, 160)...)
	var n numbering
	h, _ := readHeader(p)
	n.start(&h, 8000, 1, 1, 1)
	now := int64(1)
	b.ReportAllocs()
	for b.Loop() {
		h.seq++
		h.ts += 160
		now += 20e6
		seq, ts, _ := n.next(&h, 8000, now)
		writeHeader(p, 0, seq, ts, 9)
	}
}

// What a packet says without its extension is the same, and nobody else's payload has moved.
func FuzzWithoutExtension(f *testing.F) {
	for _, b := range headerSeeds {
		f.Add(b)
	}
	f.Add([]byte{0xb2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0, 'x', 'y', 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		before, ok := readHeader(b)
		if !ok {
			return
		}
		in := bytes.Clone(b)
		out := withoutExtension(b)
		after, ok := readHeader(out)
		before.extension = false
		if !ok || after != before || extended(out) || out[0]&^0x10 != in[0]&^0x10 {
			t.Fatalf("% x became % x", in, out)
		}
		from := payloadStart(in)
		list := in[12 : 12+4*int(in[0]&0x0f)]
		if !bytes.Equal(out[12:payloadStart(out)], list) || !bytes.Equal(out[payloadStart(out):], in[from:]) {
			t.Fatalf("% x became % x", in, out)
		}
	})
}
