package forker

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pion/rtp"
)

// extendedPacket is a packet with that extension: what its form is, and its words.
func extendedPacket(form uint16, block ...byte) []byte {
	b := []byte{0x91, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, byte(form >> 8), byte(form), 0, byte(len(block) / 4)}
	return append(append(b, block...), "payload"...)
}

func TestExtensionsAreRenumbered(t *testing.T) {
	ids := extensionIDs{}
	ids.set(map[uint8]uint8{3: 1, 14: 2, 200: 3, 9: MaxExtensionID, 0: 4, 10: MaxExtensionID + 1})
	for _, tt := range []struct {
		name     string
		form     uint16
		in, want []byte // nil: no extension is left
	}{
		{"one", oneByteForm, []byte{0x30, 7, 0, 0}, []byte{0x10, 7, 0, 0}},
		{"close up", oneByteForm, []byte{0x51, 1, 2, 0x30, 7, 0, 0xe2, 4, 5, 6, 0, 0}, []byte{0x10, 7, 0x22, 4, 5, 6, 0, 0}},
		{"longest", oneByteForm, append([]byte{0x9f}, bytes.Repeat([]byte{5}, 19)...), append(append([]byte{0xef}, bytes.Repeat([]byte{5}, 16)...), 0, 0, 0)},
		{"others alone", oneByteForm, []byte{0x40, 7, 0xa0, 7}, nil},
		{"nothing behind 15", oneByteForm, []byte{0x30, 7, 0xf0, 0, 0xe0, 1, 0, 0}, []byte{0x10, 7, 0, 0}},
		{"nothing behind padding with a length", oneByteForm, []byte{0x30, 7, 0x01, 0, 0xe0, 1, 0, 0}, []byte{0x10, 7, 0, 0}},
		{"longer than it can be", oneByteForm, []byte{0x30, 7, 0xe3, 1}, []byte{0x10, 7, 0, 0}},
		{"empty", oneByteForm, nil, nil},
		{"two-byte", twoByteForm, []byte{9, 0, 77, 1, 5, 200, 2, 8, 9, 0, 0, 0}, []byte{14, 0, 3, 2, 8, 9, 0, 0}},
		{"two-byte for an application", twoByteForm | 7, []byte{3, 1, 5, 0}, []byte{1, 1, 5, 0}},
		{"two-byte longer than it can be", twoByteForm, []byte{3, 1, 5, 14, 4, 1, 2, 0}, []byte{1, 1, 5, 0}},
		{"two-byte without a length", twoByteForm, []byte{3, 1, 5, 14}, []byte{1, 1, 5, 0}},
		{"another form", 0x1234, []byte{0x30, 7, 0, 0}, nil},
	} {
		want := extendedPacket(tt.form, tt.want...)
		if tt.want == nil {
			want = withoutExtension(want)
		}
		if got := ids.apply(extendedPacket(tt.form, tt.in...)); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got % x\nwant % x", tt.name, got, want)
		}
	}
}

// Whatever an extension holds, the packet around it stays as it is, what is kept can be read, has the numbers asked for and
// the octets that it had.
func FuzzExtensions(f *testing.F) {
	f.Add(extendedPacket(oneByteForm, 0x30, 7, 0, 0x51, 1, 2, 0, 0), uint8(3), uint8(1))
	f.Add(extendedPacket(twoByteForm, 3, 0, 0, 9, 2, 1, 2, 0), uint8(9), uint8(14))
	f.Add(extendedPacket(oneByteForm, 0x30, 7, 0xf0, 0), uint8(15), uint8(2))
	f.Add(append([]byte{0xb0, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xbe, 0xde, 0, 1, 0x1f, 7, 0, 0}, 'x', 2), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, from, to uint8) {
		before, ok := readHeader(b)
		if !ok {
			return
		}
		in := bytes.Clone(b)
		ids := extensionIDs{}
		ids.set(map[uint8]uint8{from: to})
		out := ids.apply(b)
		after, ok := readHeader(out)
		payload, _ := payloadOf(in, &before)
		kept, _ := payloadOf(out, &after)
		before.extension = after.extension
		if !ok || after != before || !bytes.Equal(payload, kept) || len(out) > len(in) {
			t.Fatalf("% x became % x", in, out)
		}
		if !extended(out) {
			return
		}
		var was, is rtp.Header
		if _, err := is.Unmarshal(out); err != nil {
			t.Fatalf("% x became % x: %v", in, out, err)
		}
		for _, id := range is.GetExtensionIDs() {
			if id != to {
				t.Fatalf("element %d of % x in % x", id, in, out)
			}
		}
		if _, err := was.Unmarshal(in); err == nil && slices.Contains(was.GetExtensionIDs(), from) && !bytes.Equal(was.GetExtension(from), is.GetExtension(to)) {
			t.Fatalf("% x became % x", in, out)
		}
	})
}
