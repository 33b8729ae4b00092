package forker_test

import (
	"net/netip"
	"testing"

	"sidetrack/forker"
)

func BenchmarkRelay(b *testing.B)        { benchmark(b, 0) }
func BenchmarkRelayAndCopy(b *testing.B) { benchmark(b, 1) }

// benchmark sends packets in bursts through real sockets; the senders' and
// receivers' own cost is in it.
func benchmark(b *testing.B, taps int) {
	for name, portable := range map[string]bool{"native": false, "portable": true} {
		b.Run(name, func(b *testing.B) {
			lo, hi := portRange(16)
			e := newEngine(b, forker.Config{Listen: usHost, PortMin: lo, PortMax: hi, Portable: portable})
			c := newCall(b, e)
			srs := newPeer(b, srsHost)
			for range taps {
				fork(b, c.relay, forker.AB).SendTo(srs.addr(), netip.AddrPort{}, pcmu)
			}
			p := append(rtp(0, 0, 0, 1), make([]byte, 144)...)
			buf := make([]byte, 2048)
			b.ReportAllocs()
			for i := range b.N {
				p[2], p[3] = byte(i>>8), byte(i)
				if _, err := c.caller.conn.WriteToUDPAddrPort(p, c.toA); err != nil {
					b.Fatal(err)
				}
				if _, _, err := c.callee.conn.ReadFromUDPAddrPort(buf); err != nil {
					b.Fatal(err)
				}
				if taps > 0 {
					if _, _, err := srs.conn.ReadFromUDPAddrPort(buf); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
