package scenario_test

import (
	"net/netip"
	"testing"

	"sidetrack/tests/peer"
)

// RTP bleed and spray: a stranger sends to every port of the range, ten packets for each one of the parties', from the
// moment there is a call and before anybody has spoken, with headers like a party's. Nobody ever hears him, neither party nor
// SRS, and he hears nobody.
func TestSprayIsNotHeard(t *testing.T) {
	const first, last = 22000, 22031
	st := newStage(t, setup{srsNets: []string{"udp"}, ports: "22000-22031"})
	stranger := peer.NewMedia(t, strangerIP, "call1", "stranger")
	spray := func() {
		for port := uint16(first); port <= last; port++ {
			stranger.Send(netip.AddrPortFrom(netip.MustParseAddr(systemIP), port))
		}
	}
	c := st.invite(dialing{})
	for range 30 { // the callee rings
		spray()
	}
	c.in.Reply(180)
	c.out.Expect(180)
	c.answer(dialing{quiet: true})
	rs := st.srs().Accept()
	for range 100 { // both are known, and nobody has spoken yet
		spray()
	}
	c.talk()
	c.recorded(rs, 3)
	for range 5 { // both speak
		before := c.a.Sent()
		for range 20 {
			spray()
		}
		c.b.AwaitFrom("alice", before, 2)
	}
	c.recorded(rs, 10)
	c.quiet() // fails when either has heard a foreign packet, or not every one of the other
	c.hangUp()
	rs.End()
	c.judge(rs)
	if n := len(stranger.Packets()); n > 0 {
		t.Errorf("the stranger got %d packets", n)
	}
	if n := st.sys.sum("sidetrack_rtp_dropped_packets_total", `reason="stranger"`); n < 100 {
		t.Errorf("%v packets counted as strangers'", n)
	}
}
