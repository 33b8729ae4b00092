package scenario_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"sidetrack/tests/peer"
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// A stranger who knows the ports gets nothing in and nothing out, before and after the parties have talked.
func TestStrangersAreNotHeard(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	stranger := peer.NewMedia(t, strangerIP, c.a.Call, "stranger")
	for range 200 {
		stranger.Send(c.aTo.rtp)
		stranger.Send(c.bTo.rtp)
		for _, line := range rs.Offer().Media {
			stranger.Send(line.Addr())
		}
	}
	c.recorded(rs, 20)
	c.quiet() // fails when either heard a foreign packet
	c.hangUp()
	rs.End()
	c.judge(rs)
	if n := len(stranger.Packets()); n > 0 {
		t.Errorf("the stranger got %d packets", n)
	}
}

// A caller behind a NAT sends from a port that its SDP does not name; the answer goes where it sends from.
func TestSymmetricRTP(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.newCall(dialing{})
	behind := peer.NewMedia(t, callerIP, c.a.Call, "alice") // what the NAT makes of c.a
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{
		URI: bobAOR, From: "<" + aliceAOR + ">", SDP: peer.BuildSDP(1, peer.Line{Media: c.a}),
	})
	c.in = st.callee.Expect("INVITE")
	c.a = behind
	c.answer(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	behind.AwaitFrom("bob", c.b.Sent(), 10)
	c.a.Quiet()
	c.b.Quiet()
	c.hangUp()
	rs.End()
}

// Sequence, time, SSRC, marker and payload pass untouched whatever they are; the copy shows the source's losses.
func TestLossAndReorderingStayVisible(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{quiet: true})
	rs := st.srs().Accept()
	order := []int{1, 2, 3, 6, 5, 7, 7, 12, 13}
	for _, n := range order {
		c.a.SendNumber(c.aTo.rtp, n)
	}
	got := c.b.Await("all", func(all []peer.Packet) bool { return len(all) == len(order) })
	copies := rs.Streams["1"].Await("all", func(all []peer.Packet) bool { return len(all) == len(order) })
	for i, n := range order {
		if got[i].Number != n {
			t.Errorf("packet %d at the callee is number %d, not %d", i, got[i].Number, n)
		}
		if copies[i].Number != n {
			t.Errorf("packet %d at the SRS is number %d, not %d", i, copies[i].Number, n)
		}
		if copies[i].Seq-copies[0].Seq != uint16(n-order[0]) {
			t.Errorf("number %d is %d after the first", n, copies[i].Seq-copies[0].Seq)
		}
		if copies[i].Stamp-copies[0].Stamp != uint32(n-order[0])*peer.Frame {
			t.Errorf("number %d is %d ticks after the first", n, copies[i].Stamp-copies[0].Stamp)
		}
	}
	c.hangUp()
	rs.End()
}

// A new source in the same flow keeps the SSRC of the copy, and its sequence goes on.
func TestSSRCChangeIsHiddenFromTheRecorder(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	c.quiet()
	c.a.Restart()
	c.talk()
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	copies := rs.Streams["1"].Packets()
	for i, p := range copies {
		if p.SSRC != copies[0].SSRC {
			t.Fatalf("SSRC changed at number %d", p.Number)
		}
		if i > 0 && int16(p.Seq-copies[i-1].Seq) <= 0 {
			t.Errorf("sequence %d after %d at number %d", p.Seq, copies[i-1].Seq, p.Number)
		}
	}
}

// Our own sender reports reach the SRS, for the SSRC that it hears.
func TestSenderReportsToTheRecorder(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	ssrc := rs.Streams["1"].Packets()[0].SSRC
	rs.Streams["1"].AwaitRTCP("sender report", func(b []byte) bool {
		return len(b) >= 28 && b[1] == 200 && binary.BigEndian.Uint32(b[4:]) == ssrc
	})
	c.quiet()
	c.hangUp()
	rs.End()
}

// Ports exhausted: the call is refused before it begins, those that run are not harmed.
func TestNoPortsLeft(t *testing.T) {
	st := newStage(t, setup{noPolicy: true, ports: "22000-22007"})
	var running []*call
	for {
		c := st.newCall(dialing{})
		c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: c.a})})
		if len(running) == 2 { // two pairs a call, four pairs there are
			if got := c.out.ExpectFinal(); got.Status() != 503 {
				t.Errorf("the third call got %s", got.Start)
			}
			break
		}
		c.in = st.callee.Expect("INVITE")
		c.answer(dialing{})
		running = append(running, c)
	}
	for _, c := range running {
		c.heard(5)
		c.hangUp()
	}
}
