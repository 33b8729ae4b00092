package forker_test

import (
	"bytes"
	"net/netip"
	"testing"

	"sidetrack/forker"
)

// short are datagrams that are no RTP, of every length up to that of an RTP header: the longest looks like one, with more
// in it than there is; and one of T.38.
func short() (all [][]byte) {
	for n := range 13 {
		all = append(all, bytes.Repeat([]byte{0x9f}, n))
	}
	return append(all, []byte{0, 7, 1, 0xc0, 0, 0x80, 0, 0})
}

// A stream turns from RTP to datagrams of another kind (T.38 in place of audio), on the same ports, and back: all of them
// pass as they are, whatever their length. What is no RTP is not copied, but counted, while RTP is expected as well.
func TestStreamTurnsIntoAFaxAndBack(t *testing.T) {
	drivers(t, func(t *testing.T, cfg forker.Config) {
		c := newCall(t, newEngine(t, cfg))
		srs, tap := newPeer(t, srsHost), fork(t, c.relay, forker.AB)
		tap.SendTo(srs.addr(), netip.AddrPort{}, pcmu)
		wrong := 0
		exchange := func() {
			t.Helper()
			for _, b := range short() {
				c.caller.send(c.toA, b)
				c.callee.want(b)
				c.callee.send(c.toB, b)
				c.caller.want(b)
				wrong++
			}
		}
		c.pass(1, 3)
		srs.sequel(3)
		c.callee.send(c.toB, rtp(0, 1, 160, 2))
		c.caller.want(rtp(0, 1, 160, 2))
		exchange()
		for side, p := range []*peer{c.caller, c.callee} {
			c.relay.SetRemote(forker.Side(side), 0, forker.Remote{RTP: p.addr(), Sends: true})
		}
		exchange()
		c.caller.send(c.toA, rtp(0, 4, 640, 1)) // of no RTP stream now
		c.callee.want(rtp(0, 4, 640, 1))
		wrong++
		for side, p := range []*peer{c.caller, c.callee} {
			c.relay.SetRemote(forker.Side(side), 0, audio(p.addr()))
		}
		c.pass(5, 8)
		wantSources(t, srs.sequel(4), 5)
		srs.silent()
		if s := tap.Stats(); s.Copied != 7 || s.Dropped[forker.DropNotRTP] != uint64(wrong) || s.Dropped.Total() != uint64(wrong) {
			t.Errorf("%d were no RTP: %+v", wrong, s)
		}
	})
}
