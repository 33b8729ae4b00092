package b2bua_test

import (
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// sessionWide moves a direction from the m-line to the session.
func sessionWide(sdp []byte, direction string) []byte {
	text := strings.Replace(string(sdp), "a="+direction+"\r\n", "", 1)
	return []byte(strings.Replace(text, "t=0 0\r\n", "t=0 0\r\na="+direction+"\r\n", 1))
}

// Hold in all its forms, by either party: offer and answer reach the other side as they were said, the media follow, and
// come back with the resume.
func TestHoldForms(t *testing.T) {
	for _, form := range []struct {
		offer, answer string // directions
		zero, session bool
		sends         [2]bool // who still does: who holds, who is held
	}{
		{offer: "sendonly", answer: "recvonly", sends: [2]bool{true, false}},
		{offer: "sendonly", answer: "inactive"},
		{offer: "inactive", answer: "inactive"},
		{offer: "recvonly", answer: "sendonly", sends: [2]bool{false, true}},
		{offer: "sendonly", answer: "recvonly", session: true, sends: [2]bool{true, false}},
		{offer: "inactive", answer: "inactive", session: true},
		{zero: true, sends: [2]bool{true, false}},
	} {
		for _, fromCallee := range []bool{false, true} {
			s := newStage(t, setup{})
			s.ladder.Note("%+v, callee %v", form, fromCallee)
			c := s.invite()
			toA := peer.ParseSDP(c.in.SDP()).Media[0].Addr()
			c.answer()
			holder, held := c.left, c.right
			near, far, nearName, farName := c.a, c.b, "caller", "callee"
			if fromCallee {
				holder, held, near, far, nearName, farName = held, holder, far, near, farName, nearName
			}
			say := func(version int, line peer.Line, direction string) []byte {
				line.Direction = direction
				sdp := peer.BuildSDP(version, line)
				if form.session && direction != "" {
					sdp = sessionWide(sdp, direction)
				}
				return sdp
			}
			out := holder.Send("INVITE", peer.WithSDP(say(2, peer.Line{Media: near, Zero: form.zero}, form.offer)))
			in := held.Expect("INVITE")
			in.Reply(200, peer.WithSDP(say(2, peer.Line{Media: far}, form.answer)))
			ok := out.Expect(200)
			holder.Ack(ok)
			held.Expect("ACK")
			for _, got := range []struct {
				sdp, direction string
				zero           bool
			}{{string(in.SDP()), form.offer, form.zero}, {string(ok.SDP()), form.answer, false}} {
				m := peer.ParseSDP([]byte(got.sdp)).Media[0]
				if got.direction == "" {
					got.direction = "sendrecv"
				}
				wide := strings.Contains(got.sdp, "t=0 0\r\na="+got.direction+"\r\n")
				if m.Direction != got.direction || wide != form.session || got.zero != (m.Conn == "0.0.0.0") {
					t.Errorf("%+v, by the callee %v: came as\n%s", form, fromCallee, got.sdp)
				}
			}
			toB := peer.ParseSDP(ok.SDP()).Media[0].Addr()
			if fromCallee {
				toB = peer.ParseSDP(in.SDP()).Media[0].Addr()
			}
			toFar, toNear := toB, toA // where each sends to: our port towards it
			if fromCallee {
				toFar, toNear = toA, toB
			}
			for _, v := range s.only(1)[0].Streams {
				want := form.sends[1]
				if v.Party == nearName {
					want = form.sends[0]
				}
				if v.Active != want {
					t.Errorf("%+v, by the callee %v: the %s sends: %v", form, fromCallee, v.Party, v.Active)
				}
			}
			if form.sends[0] {
				near.Send(toFar)
				far.AwaitFrom(nearName, 0, 1)
			}
			if form.zero { // what the held party still sends goes nowhere
				far.Send(toNear)
				if !peer.Eventually(func() bool { return packets(s, farName) == 1 }) {
					t.Errorf("%d packets of the held party", packets(s, farName))
				}
			}
			again := holder.Send("INVITE", peer.WithSDP(say(3, peer.Line{Media: near}, "")))
			in = held.Expect("INVITE")
			in.Reply(200, peer.WithSDP(say(3, peer.Line{Media: far}, "")))
			holder.Ack(again.Expect(200))
			held.Expect("ACK")
			mark := far.Send(toNear)
			near.AwaitFrom(farName, mark-1, 1)
			if form.zero && len(near.Packets()) != 1 {
				t.Errorf("by the callee %v: %d packets reached who had said 0.0.0.0", fromCallee, len(near.Packets()))
			}
			near.Send(toFar)
			far.AwaitFrom(nearName, near.Sent()-1, 1)
			c.hangUp()
			s.quiet()
		}
	}
}

func packets(s *stage, party string) uint64 {
	for _, v := range s.only(1)[0].Streams {
		if v.Party == party {
			return v.Packets
		}
	}
	return 0
}

// ICE and BUNDLE reach nobody, in offers, answers, provisional answers and re-INVITEs of either party: media go by us.
func TestICEIsTakenOut(t *testing.T) {
	lines := []string{"ice-ufrag:u", "ice-pwd:secretsecretsecretsecret", "mid:0", "candidate:1 1 udp 2130706431 192.0.2.7 4000 typ host",
		"candidate:2 1 udp 1694498815 203.0.113.7 4000 typ srflx raddr 192.0.2.7 rport 4000", "remote-candidates:1 192.0.2.9 5000",
		"end-of-candidates", "rtcp:4001 IN IP4 192.0.2.7", "altc:1 IP6 2001:db8::7 4000", "x-kept:1"}
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity})
		c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
		ice := func(version int, m *peer.Media) peer.Opt {
			sdp := string(peer.BuildSDP(version, peer.Line{Media: m, Extra: lines}))
			return peer.WithSDP([]byte(strings.Replace(sdp, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\na=ice-options:trickle\r\na=group:BUNDLE 0\r\na=ice-ufrag:s\r\n", 1)))
		}
		clean := func(where string, sdp []byte) {
			t.Helper()
			text := string(sdp)
			for _, bad := range []string{"ice-", "candidate", "BUNDLE", "192.0.2.", "203.0.113.", "2001:db8"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s has %s:\n%s", where, bad, text)
				}
			}
			if !strings.Contains(text, "a=x-kept:1") || !strings.Contains(text, "a=mid:0") {
				t.Errorf("%s has lost what is none of ours:\n%s", where, text)
			}
		}
		c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{ice(1, c.a)}})
		c.in = s.pbx.Expect("INVITE")
		clean("the offer", c.in.SDP())
		c.in.Reply(183, ice(1, c.b))
		clean("the early answer", c.out.Expect(183).SDP())
		c.in.Reply(200, ice(1, c.b))
		ok := c.out.Expect(200)
		clean("the answer", ok.SDP())
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		c.left.Ack(ok)
		c.right.Expect("ACK")
		for _, way := range [][2]*peer.Dialog{{c.left, c.right}, {c.right, c.left}} {
			out := way[0].Send("INVITE", ice(2, c.a))
			in := way[1].Expect("INVITE")
			clean("a re-INVITE", in.SDP())
			in.Reply(200, ice(2, c.b))
			ok := out.Expect(200)
			clean("its answer", ok.SDP())
			way[0].Ack(ok)
			way[1].Expect("ACK")
		}
		c.hangUp()
		s.quiet()
	}
}
