package scenario_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// The media ports of these scenarios, all of them.
const sprayFirst, sprayLast = 22000, 22031

// sprayer is a stranger who knows every port: RTP to the even ones, RTCP to all.
type sprayer struct {
	*peer.Media
	rounds int
}

// everywhere sends the same packet to every port, so that each port sees consecutive ones of one SSRC: that is what a
// party behind a NAT looks like.
func (s *sprayer) everywhere() {
	s.rounds++
	for port := uint16(sprayFirst); port <= sprayLast; port++ {
		s.SendNumber(netip.AddrPortFrom(netip.MustParseAddr(systemIP), port), s.rounds)
	}
}

// control sends RTCP to every port, from the RTCP port and from the other one: nothing that anybody may hear.
func (s *sprayer) control() {
	for port := uint16(sprayFirst); port <= sprayLast; port++ {
		to := netip.AddrPortFrom(netip.MustParseAddr(systemIP), port)
		s.SendRTCP(to, foreignRTCP)
		s.SendRaw(to, foreignRTCP)
	}
}

// disguised sends to every port what would be the party's next packet, but for the audio.
func (s *sprayer) disguised(party *peer.Media) {
	sent := party.SentPackets()
	b := bytes.Clone(sent[len(sent)-1].Raw)
	binary.BigEndian.PutUint16(b[2:], binary.BigEndian.Uint16(b[2:])+1)
	binary.BigEndian.PutUint32(b[4:], binary.BigEndian.Uint32(b[4:])+peer.Frame)
	copy(b[12:], "id|call1|stranger|1|......")
	for port := uint16(sprayFirst); port <= sprayLast; port++ {
		s.SendRaw(netip.AddrPortFrom(netip.MustParseAddr(systemIP), port), b)
	}
}

// nothing fails when the stranger has heard anything, or one of these his RTCP.
func (s *sprayer) nothing(t *testing.T, ears ...*peer.Media) {
	t.Helper()
	if n := len(s.Packets()) + len(s.RTCP()); n > 0 {
		t.Errorf("the stranger got %d packets", n)
	}
	for _, ear := range ears {
		for _, b := range ear.RTCP() {
			if bytes.Contains(b, []byte("evil")) {
				t.Errorf("%s heard the stranger's RTCP", ear.Party)
				break
			}
		}
	}
}

// foreignRTCP is an application-defined packet (RFC 3550 §6.7).
var foreignRTCP = []byte("\x80\xcc\x00\x04\xba\xdb\xad\xbaevilstranger")

// RTP bleed and spray: a stranger sends to every port of the range, RTP and RTCP, ten packets for each one of the parties',
// from the moment there is a call and before anybody has spoken: first so slowly that no port has lost patience when a
// party behind a NAT would be believed, then as fast as he can; then all the while they speak, also with the header that is
// due next. Nobody ever hears him, neither party nor SRS, and he hears nobody.
func TestSprayIsNotHeard(t *testing.T) { bothEngines(t, testSpray) }

func testSpray(t *testing.T, portable bool) {
	st := newStage(t, setup{srsNets: []string{"udp"}, ports: "22000-22031", portable: portable})
	s := &sprayer{Media: peer.NewMedia(t, strangerIP, "call1", "stranger")}
	slowlyThenFast := func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 40 { // twice as long as an address must hold out, and fewer packets than a port bears with
			s.everywhere()
			<-tick.C
		}
		for range 60 {
			s.everywhere()
			s.control()
		}
	}
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	slowlyThenFast() // the callee rings
	c.answer(dialing{quiet: true})
	rs := st.srs().Accept()
	slowlyThenFast() // both are known, and nobody has spoken yet
	c.talk()
	c.recorded(rs, 3)
	c.quiet()
	for range 40 { // both speak
		a := c.a.Send(c.aTo.rtp)
		s.disguised(c.a)
		b := c.b.Send(c.bTo.rtp)
		s.disguised(c.b)
		c.a.SendRTCP(c.aTo.rtcp, receiverReport(1))
		c.b.SendRTCP(c.bTo.rtcp, receiverReport(2))
		for range 8 {
			s.everywhere()
		}
		for range 5 {
			s.control()
		}
		c.b.AwaitFrom("alice", a-1, 1)
		c.a.AwaitFrom("bob", b-1, 1)
	}
	c.a.AwaitRTCP("report of the callee", func([]byte) bool { return true })
	c.b.AwaitRTCP("report of the caller", func([]byte) bool { return true })
	c.talk()
	c.recorded(rs, 5)
	c.quiet() // fails when either has heard a foreign packet, or not every one of the other
	c.hangUp()
	rs.End()
	c.judge(rs)
	s.nothing(t, c.a, c.b, rs.Streams["1"], rs.Streams["2"])
	if n := st.sys.sum("sidetrack_rtp_dropped_packets_total", `reason="stranger"`); n < float64(2*s.rounds) {
		t.Errorf("%v packets counted as strangers', he sent %d to each port", n, s.rounds)
	}
}

// A caller behind a NAT is believed where his SDP names a host that nothing comes from. Once he is, that is the end of it:
// a stranger who does all that the caller did to be believed, and for longer, is not.
func TestSprayAfterALatch(t *testing.T) {
	bothEngines(t, func(t *testing.T, portable bool) {
		st := newStage(t, setup{srsNets: []string{"udp"}, ports: "22000-22031", portable: portable})
		s := &sprayer{Media: peer.NewMedia(t, strangerIP, "call1", "stranger")}
		c := st.newCall(dialing{})
		inside := peer.NewMedia(t, nowhereIP, c.a.Call, "inside") // what the caller believes to be his address
		c.out = st.caller.Invite(st.sys.SIP, peer.Call{
			URI: bobAOR, From: "<" + aliceAOR + ">", SDP: peer.BuildSDP(1, peer.Line{Media: inside}),
		})
		c.in = st.callee.Expect("INVITE")
		c.answer(dialing{})
		rs := st.srs().Accept()
		c.recorded(rs, 5)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 60 {
			s.everywhere()
			s.control()
			<-tick.C
		}
		c.recorded(rs, 5)
		c.a.AwaitFrom("bob", c.b.Sent(), 5)
		c.a.Quiet()
		c.b.Quiet()
		c.whole(c.a, c.b)
		c.hangUp()
		rs.End()
		c.judge(rs)
		s.nothing(t, c.a, c.b, inside, rs.Streams["1"], rs.Streams["2"])
	})
}
