package scenario_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// A refusal of the callee reaches the caller with its code, phrase and headers; nothing is recorded.
func TestRefusalsPassWithTheirReason(t *testing.T) {
	st := newStage(t, setup{})
	for _, status := range []int{300, 302, 400, 403, 404, 408, 410, 415, 420, 480, 484, 486, 488, 491, 500, 501, 503, 504, 600, 603} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c := st.invite(dialing{})
			c.in.Reply(status, peer.Phrase("Said By The PBX"), peer.With("Reason", `Q.850;cause=17;text="busy"`),
				peer.With("Retry-After", "7"), peer.Adding("Warning", `399 pbx.test "one"`), peer.Adding("Warning", `399 pbx.test "two"`))
			got := c.out.ExpectFinal()
			if got.Status() != status || got.Reason() != "Said By The PBX" {
				t.Errorf("the caller got %s", got.Start)
			}
			if got.Get("Reason") != `Q.850;cause=17;text="busy"` || got.Get("Retry-After") != "7" || len(got.All("Warning")) != 2 {
				t.Errorf("headers %v", got.Headers)
			}
			c.in.ExpectOther("ACK")
		})
	}
}

// The challenge of the PBX passes, and so do the credentials of the second try, in the same dialog identifiers.
func TestChallengesPass(t *testing.T) {
	for status, names := range map[int][2]string{
		401: {"WWW-Authenticate", "Authorization"}, 407: {"Proxy-Authenticate", "Proxy-Authorization"},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			st := newStage(t, setup{})
			const challenge = `Digest realm="pbx.test", nonce="a,b;c", algorithm=MD5, qop="auth,auth-int"`
			const credentials = `Digest username="alice", realm="pbx.test", nonce="a,b;c", uri="sip:bob@pbx.test", response="00", qop=auth, nc=00000001, cnonce="x"`
			first := st.invite(dialing{})
			first.in.Reply(status, peer.With(names[0], challenge))
			if got := first.out.ExpectFinal(); got.Status() != status || got.Get(names[0]) != challenge {
				t.Fatalf("the caller got %s with %q", got.Start, got.Get(names[0]))
			}
			first.in.ExpectOther("ACK")

			sent := first.out.Sent
			second := first
			second.out = st.caller.Invite(st.sys.SIP, peer.Call{
				URI: bobAOR, From: "<" + aliceAOR + ">", CallID: sent.CallID(), SDP: sent.Body,
				Opts: []peer.Opt{peer.With("From", sent.Get("From")), peer.With("CSeq", "102 INVITE"), peer.With(names[1], credentials)},
			})
			second.in = st.callee.Expect("INVITE")
			if got := second.in.Get(names[1]); got != credentials {
				t.Errorf("credentials arrived as %q", got)
			}
			if second.in.CallID() != first.in.CallID() {
				t.Error("Call-ID changed between the tries")
			}
			second.answer(dialing{})
			rs := st.srs().Accept()
			second.recorded(rs, 5)
			second.hangUp()
			rs.End()
		})
	}
}

// The caller gives up before the callee said anything: the CANCEL waits for the first 1xx (RFC 3261 §9.1).
func TestCancelBeforeAnyAnswer(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	cancel := c.out.Cancel(peer.With("Reason", `SIP;cause=200;text="Call completed elsewhere"`))
	cancel.Expect(200)
	if in := st.callee.Maybe("CANCEL", 0); in != nil {
		t.Error("CANCEL before any 1xx")
	}
	c.in.Reply(100)
	c.cancelled(`SIP;cause=200;text="Call completed elsewhere"`)
}

func TestCancelWhileRinging(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.out.Cancel().Expect(200)
	c.cancelled("")
}

// cancelled takes the CANCEL at the callee, ends the INVITE there and sees 487 at the caller.
func (c *call) cancelled(reason string) {
	c.st.t.Helper()
	in := c.in.ExpectOther("CANCEL")
	if in.Branch() != c.in.Branch() {
		c.st.t.Errorf("CANCEL in branch %s, INVITE in %s", in.Branch(), c.in.Branch())
	}
	if reason != "" && in.Get("Reason") != reason {
		c.st.t.Errorf("CANCEL has the Reason %q", in.Get("Reason"))
	}
	in.Reply(200)
	c.in.Reply(487)
	c.in.ExpectOther("ACK")
	c.out.Expect(487)
}

// The callee answered although it had the CANCEL: the late 200 is acknowledged and the call hung up.
func TestLate200AfterCancel(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	c.in.Reply(180)
	c.out.Expect(180)
	c.out.Cancel().Expect(200)
	c.in.ExpectOther("CANCEL").Reply(200)
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	right := c.in.Dialog()
	right.Expect("ACK")
	right.AnswerBye()
	c.out.Expect(487)
}

// CANCEL and 200 cross, 20 times: whoever wins, both sides agree on the end.
func TestCancelCrossesThe200(t *testing.T) {
	st := newStage(t, setup{})
	st.srs().AcceptAll() // a call that is answered and gone at once may be recorded or not
	ended := map[int]int{}
	for range 20 {
		c := st.invite(dialing{quiet: true})
		c.in.Reply(180)
		c.out.Expect(180)
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
		}()
		cancel := c.out.Cancel()
		<-answered
		right := c.in.Dialog()
		final := c.out.ExpectFinal()
		ended[final.Status()]++
		switch final.Status() {
		case 200:
			left := c.out.Dialog(final)
			left.Ack(final)
			right.Expect("ACK")
			bye := left.Send("BYE")
			right.AnswerBye()
			bye.Expect(200)
		case 487:
			right.Expect("ACK")
			right.AnswerBye()
		default:
			t.Fatalf("the caller got %s", final.Start)
		}
		if got := cancel.ExpectFinal(); got.Status() != 200 && got.Status() != 481 {
			t.Errorf("CANCEL got %s", got.Start)
		}
		if in := st.callee.Maybe("CANCEL", 0); in != nil {
			in.Reply(481)
		}
	}
	st.ladder.Note("ends: %v", ended)
}

// CANCEL right behind the INVITE, before the system can have heard from the callee.
func TestCancelOnTheHeelsOfTheInvite(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			st := newStage(t, setup{})
			for range 20 {
				c := st.newCall(dialing{})
				c.out = st.caller.Invite(st.sys.SIP, peer.Call{
					Network: network, URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: c.a}),
				})
				c.out.Cancel().Expect(200)
				c.in = st.callee.Expect("INVITE")
				c.in.Reply(180)
				in := c.in.ExpectOther("CANCEL")
				in.Reply(200)
				c.in.Reply(487)
				c.in.ExpectOther("ACK")
				if got := c.out.ExpectFinal(); got.Status() != 487 {
					t.Fatalf("the caller got %s", got.Start)
				}
			}
		})
	}
}

// A retransmitted INVITE makes no second call; it is answered by what was said last.
func TestRetransmittedInvite(t *testing.T) {
	st := newStage(t, setup{t1: 10 * time.Second}) // ours is not repeated, however busy the machine
	c := st.invite(dialing{})
	c.in.Reply(180)
	ringing := c.out.Expect(180)
	c.out.Again()
	if again := c.out.Next(peer.Patience); again == nil || string(again.Raw) != string(ringing.Raw) {
		t.Errorf("answered by another 180: %v", again)
	}
	if n := st.callee.Times(c.in.Message); n != 1 {
		t.Errorf("the callee got the INVITE %d times", n)
	}
	c.answer(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

// The caller's first ACK is lost: the 200 comes again, the second ACK counts.
func TestLostAckIsMadeGood(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := c.out.Expect(200)
	st.caller.AwaitTimes(ok, 3)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.aTo, c.bTo = firstMedia(t, ok), firstMedia(t, c.in.Message)
	c.talk()
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

// The caller never acknowledges: after 64*T1 the call is hung up on both sides (RFC 3261 §13.3.1.4).
func TestAckNeverComes(t *testing.T) {
	st := newStage(t, setup{t1: shortT1})
	st.srs().AcceptAll()
	c := st.invite(dialing{})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.right.AnswerBye()
	c.left.AnswerBye()
	for st.callee.Maybe("ACK", 0) != nil {
	}
	if n := st.caller.Times(ok); n < 3 {
		t.Errorf("the 200 was sent %d times only", n)
	}
}

// A forking proxy behind us: each early dialog keeps its To-tag, the answered one wins.
func TestForkedProgress(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	other := peer.NewMedia(t, calleeIP, c.a.Call, "bob")
	c.in.Reply(180, peer.Tag("fork-1"))
	c.in.Reply(183, peer.Tag("fork-2"), peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: other})))
	c.in.Reply(180, peer.Tag("fork-3"))
	var tags []string
	for _, status := range []int{180, 183, 180} {
		tags = append(tags, c.out.Expect(status).ToTag())
	}
	if !slices.Equal(tags, []string{"fork-1", "fork-2", "fork-3"}) {
		t.Errorf("early dialogs %v", tags)
	}
	c.in.Tag = "fork-3"
	c.answer(dialing{})
	if got := peer.Param(c.left.Remote, "tag"); got != "fork-3" {
		t.Errorf("answered by %q", got)
	}
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

// A dozen 180s in a row, as queues send them, all pass in order.
func TestManyProvisionals(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	for i := range 12 {
		c.in.Reply(182, peer.Phrase(fmt.Sprintf("Queued %d", i)))
	}
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	for i := range 12 {
		if got := c.out.Expect(182).Reason(); got != fmt.Sprintf("Queued %d", i) {
			t.Errorf("provisional %d is %q", i, got)
		}
	}
	c.accepted(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

// No rule, no recording: the call is a plain one and the SRS hears nothing.
func TestWithoutARuleNothingIsRecorded(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	c := st.establish(dialing{})
	c.heard(20)
	c.quiet()
	c.hangUp()
}

// 180, 183 and 200 in one breath arrive in that order, over UDP and over TCP, and so do ACK and BYE.
func TestAnswersInOneBreath(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			st := newStage(t, setup{noPolicy: true, callee: network})
			for range 50 {
				c := st.newCall(dialing{})
				c.out = st.caller.Invite(st.sys.SIP, peer.Call{
					Network: network, URI: bobAOR, SDP: peer.BuildSDP(1, peer.Line{Media: c.a}),
				})
				c.in = st.callee.Expect("INVITE")
				c.in.Reply(180)
				c.in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
				c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
				c.out.Expect(180)
				c.out.Expect(183)
				c.accepted(dialing{quiet: true})
				c.hangUp()
				c.a.Close()
				c.b.Close()
			}
		})
	}
}
