package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// The habits of recorders in the field that have no test of their own elsewhere: tests/conformance/matrix.tsv has all.
func TestRecordersInTheField(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"100 and no more":                  tryingAndNoMore,
		"two m-lines for four":             twoLinesForFour,
		"a live port for a dropped stream": livePortForDropped,
		"recvonly for inactive":            recvonlyForInactive,
		"UPDATE without SDP":               updateWithoutSDP,
		"OPTIONS refused":                  optionsRefused,
		"full":                             full,
		"telephone-event left out":         eventsLeftOut,
	} {
		t.Run(name, test)
	}
}

// drachtio says 100 and then nothing: the next SRS is asked when the recorder's timeout is over.
func tryingAndNoMore(t *testing.T) {
	st := newStage(t, setup{srs: 2, timeout: "1s", srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	in := st.srss[0].Expect("INVITE")
	in.Reply(100)
	rs := st.srss[1].Accept()
	cancel := in.ExpectOther("CANCEL")
	cancel.Reply(200)
	in.Reply(487)
	in.ExpectOther("ACK")
	c.recorded(rs, 5)
	c.over(rs)
}

// SEMS knows two m-lines, whatever it is offered.
func twoLinesForFour(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.newCall(dialing{})
	more := [2]*peer.Media{peer.NewMedia(t, callerIP, "more", "alice"), peer.NewMedia(t, calleeIP, "more", "bob")}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">",
		SDP: peer.BuildSDP(1, peer.Line{Media: c.a}, peer.Line{Media: more[0]})})
	c.in = st.callee.Expect("INVITE")
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b}, peer.Line{Media: more[1]})))
	c.accepted(dialing{})
	in := st.srs().Expect("INVITE")
	rs := st.srs().Take(in)
	if len(rs.Offer().Media) != 4 {
		t.Fatalf("%d m-lines are offered", len(rs.Offer().Media))
	}
	in.Reply(200, peer.WithSDP(peer.BuildSDP(1,
		peer.Line{Media: rs.Streams["1"], Direction: "recvonly"}, peer.Line{Media: rs.Streams["2"], Direction: "recvonly"})))
	in.ExpectOther("ACK")
	c.recorded(rs, 10)
	c.hangUp()
	rs.End()
	for _, label := range []string{"3", "4"} {
		if n := len(rs.Streams[label].Packets()); n > 0 {
			t.Errorf("%d packets for label %s, which was not answered", n, label)
		}
	}
}

// A stream that is gone stays gone, whatever the SRS answers for it.
func livePortForDropped(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.quiet()
	c.sdpVersion++
	out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{})))
	in := c.right.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{})))
	c.left.Ack(out.Expect(200))
	c.right.Expect("ACK")
	update := rs.ExpectUpdate()
	for i, m := range rs.Offer().Media {
		if m.Port != 0 {
			t.Errorf("m-line %d has port %d after the call has dropped its stream", i+1, m.Port)
		}
	}
	was := len(rs.Streams["1"].Packets()) + len(rs.Streams["2"].Packets())
	update.Reply(200, peer.WithSDP(peer.BuildSDP(7, line(rs, "1"), line(rs, "2"))))
	update.ExpectOther("ACK")
	c.hangUp()
	rs.End()
	if now := len(rs.Streams["1"].Packets()) + len(rs.Streams["2"].Packets()); now != was {
		t.Errorf("%d packets more", now-was)
	}
}

func line(rs *peer.Session, label string) peer.Line {
	return peer.Line{Media: rs.Streams[label], Direction: "recvonly", Label: label}
}

// SEMS answers recvonly to a pause: it is one all the same.
func recvonlyForInactive(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.apply(change{method: "INVITE", offer: peer.Line{Direction: "inactive"}, answer: peer.Line{Direction: "inactive"}})
	update := rs.ExpectUpdate()
	a, b := c.a.Sent(), c.b.Sent()
	update.Reply(200, peer.WithSDP(peer.BuildSDP(7, line(rs, "1"), line(rs, "2"))))
	update.ExpectOther("ACK")
	awaitSent(c, 20)
	c.a.Quiet()
	c.b.Quiet()
	aTo, bTo := c.a.Sent()-inFlight, c.b.Sent()-inFlight
	c.apply(change{method: "INVITE"})
	rs.Update()
	c.talk()
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
	none(t, rs.Streams["1"], a, aTo)
	none(t, rs.Streams["2"], b, bTo)
}

// loreste and drachtio answer an UPDATE that carries an offer without describing anything: all stays where it was.
func updateWithoutSDP(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}, recorder: "    dialect: {updates_by: update}"})
	c := st.establish(dialing{})
	rs := st.srs().Accept(peer.With("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE"))
	c.recorded(rs, 5)
	for _, lines := range [][2]peer.Line{{{Direction: "sendonly"}, {Direction: "recvonly"}}, {}} {
		c.apply(change{method: "INVITE", offer: lines[0], answer: lines[1]})
		rs.Dialog.Expect("UPDATE").Reply(200)
	}
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// A refusal of OPTIONS in the dialog is a sign of life.
func optionsRefused(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}, srsAsked: true, recorder: "    check: 1s"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	for _, status := range []int{405, 500, 501} {
		rs.Dialog.Expect("OPTIONS").Reply(status)
	}
	st.srs().AutoReply("OPTIONS", 501)
	c.recorded(rs, 10)
	c.over(rs)
}

// pjproject's demo takes four calls; the fifth goes to the next SRS, and the others notice nothing.
func full(t *testing.T) {
	const room = 4
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"}})
	var calls []*call
	var sessions []*peer.Session
	for i := range room + 1 {
		c := st.establish(dialing{})
		if i < room {
			sessions = append(sessions, st.srss[0].Accept())
		} else {
			in := st.srss[0].Expect("INVITE")
			in.Reply(486)
			in.ExpectOther("ACK")
			sessions = append(sessions, st.srss[1].Accept())
		}
		calls = append(calls, c)
	}
	for i, c := range calls {
		c.recorded(sessions[i], 5)
		c.hangUp()
		sessions[i].End()
		c.judge(sessions[i])
	}
}

// An SRS that leaves out a format that it was offered takes the rest (OpenSIPS hangs up on it).
func eventsLeftOut(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	events := []string{"rtpmap:101 telephone-event/8000", "fmtp:101 0-15"}
	c := st.newCall(dialing{})
	sdp := func(m *peer.Media) []byte {
		return []byte(strings.Replace(string(peer.BuildSDP(1, peer.Line{Media: m, Extra: events})), "RTP/AVP 0\r\n", "RTP/AVP 0 101\r\n", 1))
	}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: sdp(c.a)})
	c.in = st.callee.Expect("INVITE")
	c.in.Reply(200, peer.WithSDP(sdp(c.b)))
	c.accepted(dialing{})
	rs := st.srs().Accept()
	if !slices.Equal(rs.Offer().Media[0].Formats, []string{"0", "101"}) {
		t.Errorf("offered %v", rs.Offer().Media[0].Formats)
	}
	c.recorded(rs, 10)
	c.over(rs)
}

// SRC-04, R1-05: 420 is a failure like others; Require stays in what follows, and no INVITE comes twice.
func TestBadExtension(t *testing.T) {
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	in := st.srss[0].Expect("INVITE")
	in.Reply(420, peer.With("Unsupported", "siprec"))
	in.ExpectOther("ACK")
	rs := st.srss[1].Accept() // judges Require
	c.recorded(rs, 5)
	c.over(rs)
}

// SRC-07, SRC-08: an INVITE is taken for a recording session when it says so in both ways, and then refused; with one of
// them it is what any INVITE is.
func TestSessionsThatAnSRSBegins(t *testing.T) {
	for _, tag := range []bool{false, true} {
		for _, require := range []bool{false, true} {
			t.Run(fmt.Sprintf("tag %v require %v", tag, require), func(t *testing.T) {
				st := newStage(t, setup{noPolicy: true})
				opts := []peer.Opt{}
				if tag {
					opts = append(opts, peer.With("Contact", st.caller.Contact("udp")+";+sip.srs"))
				}
				if require {
					opts = append(opts, peer.With("Require", "siprec"))
					out := st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, Opts: opts})
					if got := out.ExpectFinal(); got.Status() != 420 || got.Get("Unsupported") != "siprec" {
						t.Errorf("answered %s, Unsupported %q", got.Start, got.Get("Unsupported"))
					}
					return
				}
				c := st.establish(dialing{quiet: true, opts: opts})
				c.hangUp()
			})
		}
	}
}

// T14: early media from one place, the answer from another: one update, and the copies follow.
func TestEarlyMediaThenAnotherAnswer(t *testing.T) {
	st := newStage(t, setup{rule: "start: early", srsNets: []string{"udp"}})
	c := st.invite(dialing{})
	music := peer.NewMedia(t, calleeIP, c.a.Call, "music")
	c.in.Reply(183, peer.Tag("server"), peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: music})))
	early := c.out.Expect(183)
	rs := st.srs().Accept()
	music.Talk(firstMedia(t, c.in.Message).rtp)
	c.a.Talk(firstMedia(t, early).rtp)
	rs.Streams["2"].AwaitFrom("music", 0, 5)
	music.Quiet()
	c.in.Tag = "phone"
	c.b.PT = 8
	c.in.Reply(200, peer.Tag("phone"), peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b, Payload: 0})))
	c.b.PT = 0
	answerUpdates(rs)
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.aTo, c.bTo = firstMedia(t, ok), firstMedia(t, c.in.Message)
	c.b.Talk(c.bTo.rtp)
	rs.Streams["2"].AwaitFrom("bob", c.b.Sent(), 10)
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), 10)
	c.hangUp()
	rs.End()
}

// T15: the operator pauses while the SRS is dead: nothing of what is said then leaves, to it or to the next.
func TestPauseWhileTheRecorderIsDead(t *testing.T) {
	st := newStage(t, setup{srs: 2, srsNets: []string{"udp"}, timeout: "10s"})
	c := st.establish(dialing{})
	rs := st.srss[0].Accept()
	c.recorded(rs, 5)
	path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
	st.srss[0].Close()
	<-post(st, path+"/pause", 200)
	a, b := c.a.Sent(), c.b.Sent()
	next := st.srss[1].Accept() // it moves on, by ICMP
	if !slices.Equal(next.Directions(), []string{"inactive", "inactive"}) {
		t.Errorf("paused, and the next SRS is offered %v", next.Directions())
	}
	awaitSent(c, 20)
	c.a.Quiet()
	c.b.Quiet()
	aTo, bTo := c.a.Sent()-inFlight, c.b.Sent()-inFlight
	resumed := post(st, path+"/resume", 200)
	next.Update()
	<-resumed
	c.talk()
	c.recorded(next, 5)
	c.hangUp()
	next.End()
	none(t, next.Streams["1"], a, aTo)
	none(t, next.Streams["2"], b, bTo)
}

// T17: video beside the audio is not offered to the SRS, whatever becomes of it, and audio is never sent in its place.
func TestVideoIsNotRecorded(t *testing.T) {
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprintf("refused %v", refused), func(t *testing.T) {
			st := newStage(t, setup{srsNets: []string{"udp"}})
			c := st.newCall(dialing{})
			video := func(port int) string {
				return fmt.Sprintf("m=video %d RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n", port)
			}
			c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">",
				SDP: append(peer.BuildSDP(1, peer.Line{Media: c.a}), video(40000)...)})
			c.in = st.callee.Expect("INVITE")
			port := map[bool]int{false: 40002, true: 0}[refused]
			c.in.Reply(200, peer.WithSDP(append(peer.BuildSDP(1, peer.Line{Media: c.b}), video(port)...)))
			c.accepted(dialing{})
			rs := st.srs().Accept()
			if len(rs.Offer().Media) != 2 || rs.Offer().Media[1].Kind != "audio" {
				t.Errorf("offered %+v", rs.Offer().Media)
			}
			c.recorded(rs, 10)
			c.over(rs)
		})
	}
}
