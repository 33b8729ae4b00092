package scenario_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// A recorder that keeps header extensions is offered those that the parties have agreed on, each under one number for the
// whole recording, whatever numbers the parties give them; copies have what its answer takes. The parties' own packets and
// descriptions pass as they are.
func TestHeaderExtensions(t *testing.T) {
	const level, orientation, mid = "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "urn:3gpp:video-orientation", "urn:ietf:params:rtp-hdrext:sdes:mid"
	st := newStage(t, setup{recorder: "    header_extensions: [" + orientation + ", " + level + "]"})
	const offered = "extmap:2/sendonly " + level + " vad=on"
	st.srs().Dress = func(_ *peer.Session, m peer.SDPMedia, line *peer.Line) {
		if slices.Contains(m.Attrs, offered) {
			line.Extra = append(line.Extra, "extmap:2/recvonly "+level)
		}
	}
	agreed := func(id int) []string {
		return []string{fmt.Sprintf("extmap:%d %s vad=on", id, level), "extmap:4 " + mid}
	}
	c := st.newCall(dialing{})
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">",
		SDP: peer.BuildSDP(1, peer.Line{Media: c.a, Extra: append(agreed(1), "extmap:5 "+orientation)})})
	c.in = st.callee.Expect("INVITE")
	if !bytes.Contains(c.in.Body, []byte("a=extmap:5 "+orientation+"\r\n")) {
		t.Fatalf("the callee is offered\n%s", c.in.Body)
	}
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b, Extra: agreed(1)})))
	c.accepted(dialing{quiet: true})
	rs := st.srs().Accept()
	told := func() {
		t.Helper()
		for _, m := range rs.Offer().Media {
			attrs := slices.DeleteFunc(slices.Clone(m.Attrs), func(a string) bool { return !strings.HasPrefix(a, "extmap") })
			if !slices.Equal(attrs, []string{offered}) {
				t.Errorf("label %s is offered %q", m.Label, attrs)
			}
		}
	}
	told()
	n := 0
	pass := func(pt, id byte) {
		t.Helper()
		n++
		payload := fmt.Appendf(nil, "id|call1|alice|%d|", n)
		b := aPacket(pt, false, uint16(n), uint32(n*peer.Frame), 77, nil, nil)
		b[0] |= 0x10
		b = append(append(b, 0xbe, 0xde, 0, 2, 0x40, 'a', id<<4, 0x55, 0, 0, 0, 0), payload...)
		c.a.SendRaw(c.aTo.rtp, b)
		has := func(want func([]byte) bool) func([]peer.Packet) bool {
			return func(all []peer.Packet) bool {
				return slices.ContainsFunc(all, func(p peer.Packet) bool { return want(p.Raw) })
			}
		}
		c.b.Await("the packet as it is", has(func(raw []byte) bool { return bytes.Equal(raw, b) }))
		want := append([]byte{0xbe, 0xde, 0, 1, 0x20, 0x55, 0, 0}, payload...)
		rs.Streams["1"].Await("its copy with the level alone", has(func(raw []byte) bool {
			return raw[0] == 0x90 && raw[1] == pt && bytes.Equal(raw[12:], want)
		}))
	}
	pass(0, 1)
	pass(0, 1)
	c.apply(change{method: "INVITE", offer: peer.Line{Payload: 8, Extra: agreed(7)}, answer: peer.Line{Payload: 8, Extra: agreed(7)}})
	rs.Update()
	told()
	pass(8, 7)

	st.srs().Dress = nil // it does not want them any more
	c.apply(change{method: "INVITE", offer: peer.Line{Payload: 0, Extra: agreed(7)}, answer: peer.Line{Payload: 0, Extra: agreed(7)}})
	rs.Update()
	told()
	plain := func(all []peer.Packet) bool { return all[len(all)-1].Raw[0] == 0x80 && all[len(all)-1].PT == 0 }
	b := aPacket(0, false, 100, 100*peer.Frame, 77, nil, nil)
	b[0] |= 0x10
	c.a.SendRaw(c.aTo.rtp, append(b, 0xbe, 0xde, 0, 1, 7<<4, 0x55, 0, 0, 'x'))
	rs.Streams["1"].Await("a copy without", plain)
	c.hangUp()
	rs.End()
	st.result("complete")
}
