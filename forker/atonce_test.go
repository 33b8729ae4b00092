package forker_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"sidetrack/forker"
)

// While a copy is paused the source changes, its SSRC, its codec, clock and numbers with it, and the recorder is lost. The
// next one has what the lost one got, and then what is said after the pause, as one stream: the numbers follow, the clock goes
// on by the time, in the new rate, and nothing of what was said meanwhile is there.
func TestAllChangesAtOnce(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		one, two := newPeer(t, srsHost), newPeer(t, srsHost)
		tap := forkFor(t, c, forker.TapConfig{Replay: time.Minute})
		tap.SetCodecs(map[uint8]forker.Codec{0: {Name: "PCMU", Clock: 8000}})
		tap.SendTo(one.addr(), netip.AddrPort{}, pcmu)
		c.pass(65533, 65537) // over the wrap
		before := one.sequel(5)

		tap.Pause()
		next := func(n uint16) {
			t.Helper()
			p := rtp(96, 20000+n, 4e9+320*uint32(n), 77)
			c.caller.send(c.toA, p)
			c.callee.want(p)
		}
		next(1)
		tap.SetCodecs(map[uint8]forker.Codec{96: {Name: "L16", Clock: 16000}})
		tap.Rewind()
		next(2)
		tap.SendTo(two.addr(), netip.AddrPort{}, map[uint8]uint8{0: 0, 96: 97})
		tap.Resume()
		for n := uint16(3); n < 6; n++ {
			next(n)
		}
		var got []*pionrtp.Packet
		for range 8 {
			raw, _ := two.recv()
			got = append(got, parse(t, raw))
		}
		for i, p := range got {
			if p.SSRC != before[0].SSRC || p.SequenceNumber != before[0].SequenceNumber+uint16(i) {
				t.Fatalf("packet %d is %v, the first was %v", i, p.Header, before[0].Header)
			}
			if i < 5 {
				if p.PayloadType != 0 || p.Timestamp != before[i].Timestamp {
					t.Errorf("again %d: %v, was %v", i, p.Header, before[i].Header)
				}
				continue
			}
			if n := binary.BigEndian.Uint16(p.Payload[8:]); p.PayloadType != 97 || n != uint16(20003+i-5) {
				t.Errorf("packet %d is number %d of the new source: %v", i, n, p.Header)
			}
			if on := p.Timestamp - got[i-1].Timestamp; i > 5 && on != 320 || on == 0 || on > 16000*60 {
				t.Errorf("packet %d: the clock goes on by %d", i, on)
			}
		}
		eventually(t, "counted", func() bool {
			s := tap.Stats()
			return s.Copied == 8 && s.Again == 5 && s.Dropped[forker.DropPaused] == 2 && s.Dropped.Total() == 2
		})
		one.silent()
		two.silent()
	})
}
