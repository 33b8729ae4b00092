package forker_test

import (
	"bytes"
	"maps"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"sidetrack/forker"
)

// extendedRTP is a packet of rtp with these header extensions, in that form.
func extendedRTP(t testing.TB, seq uint16, profile uint16, elements map[uint8][]byte) []byte {
	t.Helper()
	p := parse(t, rtp(0, seq, uint32(seq)*160, 1))
	p.Extension, p.ExtensionProfile = true, profile
	for id, content := range elements {
		if err := p.SetExtension(id, content); err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func extensionsOf(p *pionrtp.Packet) map[uint8]string {
	out := map[uint8]string{}
	for _, id := range p.GetExtensionIDs() {
		out[id] = string(p.GetExtension(id))
	}
	return out
}

// Of the header extensions of a packet the other party has all, bit for bit; a recorder has those that it has taken, under
// our numbers, one that has been told of none has none. So it is with what came before it answered, with what another one
// gets again that has taken fewer, and when the source's numbers are others.
func TestHeaderExtensions(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two, bare := newPeer(t, srsHost), newPeer(t, srsHost), newPeer(t, srsHost)
		plain := fork(t, c.relay, forker.AB)
		plain.SendTo(bare.addr(), netip.AddrPort{}, pcmu)
		tap := forkFor(t, c, forker.TapConfig{Replay: time.Minute})
		tap.SetExtensions(map[uint8]uint8{3: 1, 5: 2})
		seq := uint16(65530)
		pass := func(n int, profile uint16, elements map[uint8][]byte) {
			t.Helper()
			for range n {
				b := rtp(0, seq, uint32(seq)*160, 1)
				if elements != nil {
					b = extendedRTP(t, seq, profile, elements)
				}
				c.caller.send(c.toA, b)
				c.callee.want(b)
				raw, _ := bare.recv()
				if p := parse(t, raw); p.Extension || source(p) != int(seq) {
					t.Fatalf("the copy without extensions of %d: %v", seq, p)
				}
				seq++
			}
		}
		want := func(srs *peer, n int, elements map[uint8]string) {
			t.Helper()
			for range n {
				raw, _ := srs.recv()
				p := parse(t, raw)
				if got := extensionsOf(p); p.Extension != (len(elements) > 0) || !maps.Equal(got, elements) || !bytes.HasPrefix(p.Payload, []byte("payload")) {
					t.Fatalf("copy %v with %v, want %v", p, got, elements)
				}
			}
		}
		level := map[uint8][]byte{3: {0x55}, 5: {1, 2, 3}, 9: {7}}
		pass(3, 0xbede, level)
		pass(2, 0, nil)
		eventually(t, "kept", func() bool { return tap.Stats().Buffered == 5 })
		tap.TakeExtensions([]uint8{1, 2, 3})
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		both := map[uint8]string{1: "\x55", 2: "\x01\x02\x03"}
		want(one, 3, both)
		want(one, 2, nil)
		pass(3, 0, nil) // a lane opens
		pass(2, 0xbede, level)
		want(one, 3, nil)
		want(one, 2, both)
		pass(1, 0x1000, map[uint8][]byte{3: {}, 5: bytes.Repeat([]byte{6}, 40), 100: {1}})
		want(one, 1, map[uint8]string{1: "", 2: string(bytes.Repeat([]byte{6}, 40))})

		tap.Rewind()
		tap.TakeExtensions([]uint8{2})
		tap.SendTo(two.addr(), netip.AddrPort{}, pcmu)
		fewer := map[uint8]string{2: "\x01\x02\x03"}
		want(two, 3, fewer)
		want(two, 5, nil)
		want(two, 2, fewer)
		want(two, 1, map[uint8]string{2: string(bytes.Repeat([]byte{6}, 40))})

		tap.SetExtensions(map[uint8]uint8{8: 2}) // another party
		pass(2, 0xbede, map[uint8][]byte{5: {9}, 8: {4}})
		want(two, 2, map[uint8]string{2: "\x04"})
		tap.SetExtensions(nil)
		pass(2, 0xbede, level)
		want(two, 2, nil)
		one.silent()
	})
}
