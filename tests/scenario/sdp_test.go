package scenario_test

import (
	"fmt"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// rich is an offer with what phones and gateways put in: odd order, unknown lines, video, T.38, rtcp, trailing blanks.
func rich(audio, second, video, fax *peer.Media) string {
	ip := audio.Addr().Addr()
	return fmt.Sprintf("v=0\r\no=- 99999999999999999999 7 IN IP4 %[1]s\r\ns= \r\ni=odd one\r\nb=X-FOO:1\r\nc=IN IP4 %[1]s\r\nb=AS:64\r\nt=0 0\r\n"+
		"a=tool:odd  \r\ny=unknown\r\n"+
		"m=audio %[2]d RTP/AVP 0 101 18\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=fmtp:18 annexb=no\r\na=rtcp:%[3]d IN IP4 %[1]s\r\na=ptime:20\r\na=x-odd\r\n"+
		"m=audio %[4]d RTP/AVP 8\r\na=sendrecv\r\n"+
		"m=video %[5]d RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\na=fmtp:99 profile-level-id=42e01f;packetization-mode=1\r\n"+
		"m=image %[6]d udptl t38\r\na=T38FaxVersion:0\r\n"+
		"m=application 0 TCP/BFCP *\r\n",
		ip, audio.Addr().Port(), audio.RTCPAddr().Port(), second.Addr().Port(), video.Addr().Port(), fax.Addr().Port())
}

// SDP passes line by line: only addresses and ports are ours; every m-line with media is relayed, audio is recorded.
func TestRichSDPPassesLineByLine(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.newCall(dialing{})
	lines := func(ip, party string) [4]*peer.Media {
		var all [4]*peer.Media
		for i, kind := range []string{"audio", "second", "video", "fax"} {
			all[i] = peer.NewMedia(t, ip, kind, party)
		}
		all[1].PT, all[2].PT = 8, 99
		return all
	}
	left, right := lines(callerIP, "alice"), lines(calleeIP, "bob")
	offer := rich(left[0], left[1], left[2], left[3])
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: []byte(offer)})
	c.in = st.callee.Expect("INVITE")
	sameLines(t, offer, string(c.in.SDP()))
	answer := rich(right[0], right[1], right[2], right[3])
	c.in.Reply(200, peer.WithSDP([]byte(answer)))
	ok := c.out.Expect(200)
	sameLines(t, answer, string(ok.SDP()))
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")

	toCallee, toCaller := peer.ParseSDP(ok.SDP()).Media, peer.ParseSDP(c.in.SDP()).Media
	for i := range left {
		left[i].Talk(toCallee[i].Addr())
		right[i].Talk(toCaller[i].Addr())
	}
	for i := range left {
		right[i].AwaitFrom("alice", 0, 5)
		left[i].AwaitFrom("bob", 0, 5)
		if p := right[i].Packets()[0]; p.Call != left[i].Call {
			t.Errorf("m-line %d carries %s", i+1, p.Call)
		}
	}
	rs := st.srs().Accept()
	if len(rs.Labels) != 4 {
		t.Errorf("labels %v for two audio lines, both ways", rs.Labels)
	}
	for _, label := range rs.Labels {
		stream := rs.Streams[label]
		first := stream.Await("a packet", func(all []peer.Packet) bool { return len(all) > 0 })[0]
		if sender := map[string]string{aliceAOR: "alice", bobAOR: "bob"}[rs.Docs[0].Sender(label)]; first.Party != sender {
			t.Errorf("label %s carries %s, the metadata says %s", label, first.Party, sender)
		}
		for _, p := range stream.Packets() {
			if p.Party != first.Party || p.Call != first.Call || p.Call == "video" || p.Call == "fax" {
				t.Errorf("label %s carries %s of %s", label, p.Call, p.Party)
				break
			}
		}
	}
	c.hangUp()
	rs.End()
}

// sameLines compares two descriptions but for what the proxy owns: addresses in o= and c=, ports in m= and a=rtcp.
func sameLines(t *testing.T, sent, arrived string) {
	t.Helper()
	a, b := strings.Split(sent, "\r\n"), strings.Split(arrived, "\r\n")
	if len(a) != len(b) {
		t.Errorf("%d lines became %d:\n%s", len(a), len(b), arrived)
		return
	}
	for i := range a {
		if masked(a[i]) != masked(b[i]) {
			t.Errorf("line %q became %q", a[i], b[i])
		}
		if strings.HasPrefix(b[i], "c=") && !strings.HasSuffix(b[i], systemIP) {
			t.Errorf("line %q points past the relay", b[i])
		}
	}
}

func masked(line string) string {
	fields := strings.Split(line, " ")
	switch {
	case strings.HasPrefix(line, "o="), strings.HasPrefix(line, "c="):
		fields[len(fields)-1] = "ADDRESS"
	case strings.HasPrefix(line, "m=") && fields[1] != "0":
		fields[1] = "PORT"
	case strings.HasPrefix(line, "a=rtcp:"):
		return "a=rtcp"
	}
	return strings.Join(fields, " ")
}

// rtcp-mux: RTP and RTCP come on one port and are told apart.
func TestRTCPMux(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	c := st.newCall(dialing{})
	mux := []string{"rtcp-mux"}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{
		URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: c.a, Extra: mux}),
	})
	c.in = st.callee.Expect("INVITE")
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b, Extra: mux})))
	c.accepted(dialing{})
	c.heard(5)
	report := receiverReport(c.a.SSRC)
	c.a.SendRaw(c.aTo.rtp, report) // from the RTP port
	c.b.AwaitRTCP("receiver report", func(b []byte) bool { return string(b) == string(report) })
	c.hangUp()
}

// RTCP goes where a side has said by a=rtcp, before anything has come from there; also to a side that has offered
// to share a port when the other has not agreed (RFC 5761 §5.1.1).
func TestWhereRTCPGoes(t *testing.T) {
	for name, tc := range map[string]struct {
		offer, answer bool // a=rtcp
		more          []string
	}{
		"the caller's a=rtcp":    {offer: true},
		"the callee's a=rtcp":    {answer: true},
		"mux offered, not taken": {offer: true, more: []string{"rtcp-mux"}},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, setup{noPolicy: true})
			c := st.newCall(dialing{})
			elsewhere := [2]*peer.Media{peer.NewMedia(t, callerIP, "rtcp", "alice"), peer.NewMedia(t, calleeIP, "rtcp", "bob")}
			lines := [2]peer.Line{{Media: c.a, Extra: tc.more}, {Media: c.b}}
			for i, says := range []bool{tc.offer, tc.answer} {
				if says {
					lines[i].Extra = append(lines[i].Extra, fmt.Sprintf("rtcp:%d", elsewhere[i].Addr().Port()))
				}
			}
			c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, SDP: peer.BuildSDP(1, lines[0])})
			c.in = st.callee.Expect("INVITE")
			c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, lines[1])))
			c.accepted(dialing{})
			c.heard(5)
			if tc.offer {
				report := receiverReport(c.b.SSRC)
				c.b.SendRTCP(c.bTo.rtcp, report)
				elsewhere[0].AwaitRTCP("the callee's report", func(b []byte) bool { return string(b) == string(report) })
			}
			if tc.answer {
				report := receiverReport(c.a.SSRC)
				c.a.SendRTCP(c.aTo.rtcp, report)
				elsewhere[1].AwaitRTCP("the caller's report", func(b []byte) bool { return string(b) == string(report) })
			}
			c.hangUp()
		})
	}
}
