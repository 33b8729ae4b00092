package forker_test

import (
	"net/netip"
	"testing"

	"sidetrack/forker"
)

// A recorder that has stopped reading, and one that is gone, cost neither the
// parties nor the other recorders a packet.
func TestDeafRecorderHurtsNobody(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		e := newEngine(t, cfg)
		deaf, gone, well := newPeer(t, srsHost), newPeer(t, srsHost), newPeer(t, srsHost)
		if err := deaf.conn.SetReadBuffer(2048); err != nil {
			t.Fatal(err)
		}
		sick, healthy := newCall(t, e), newCall(t, e)
		fork(t, sick.relay, forker.AB).SendTo(deaf.addr(), netip.AddrPort{}, pcmu)
		fork(t, sick.relay, forker.AB).SendTo(gone.addr(), netip.AddrPort{}, pcmu)
		fork(t, sick.relay, forker.AB).SendTo(well.addr(), netip.AddrPort{}, pcmu)
		fork(t, healthy.relay, forker.AB).SendTo(well.addr(), netip.AddrPort{}, pcmu)
		gone.conn.Close()
		const n = 500
		for i := range uint16(n) {
			for _, c := range []*call{sick, healthy} {
				p := rtp(0, i, uint32(i)*160, 1)
				c.caller.send(c.toA, p)
				c.callee.want(p)
				well.recv() // both calls' copies come here
			}
		}
		well.silent()
	})
}
