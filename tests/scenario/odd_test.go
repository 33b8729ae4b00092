package scenario_test

import (
	"testing"

	"sidetrack/tests/peer"
)

// A re-INVITE without an offer: the far side offers in its 200, the near side answers in its ACK.
func TestReinviteWithoutOffer(t *testing.T) {
	for _, fromCallee := range []bool{false, true} {
		t.Run(map[bool]string{false: "caller", true: "callee"}[fromCallee], func(t *testing.T) {
			st := newStage(t, setup{srsNets: []string{"udp"}})
			c := st.establish(dialing{})
			rs := st.srs().Accept()
			answerUpdates(rs)
			c.recorded(rs, 5)
			here, there, near, far := c.left, c.right, c.a, c.b
			if fromCallee {
				here, there, near, far = c.right, c.left, c.b, c.a
			}
			out := here.Send("INVITE")
			in := there.Expect("INVITE")
			if len(in.Body) > 0 {
				t.Errorf("it got a body:\n%s", in.Body)
			}
			in.Reply(200, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: far})))
			ok := out.Expect(200)
			firstMedia(t, ok)
			here.Ack(ok, peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: near})))
			firstMedia(t, there.Expect("ACK").Message)
			c.heard(10)
			c.recorded(rs, 10)
			c.quiet()
			c.hangUp()
			rs.End()
			c.judge(rs)
		})
	}
}

// The caller's TCP connection is gone when the callee hangs up: the BYE finds the caller at its Contact.
func TestLostConnectionInMidCall(t *testing.T) {
	st := newStage(t, setup{callee: "tcp"})
	c := st.establish(dialing{network: "tcp"})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	st.caller.DropConnections()
	bye := c.right.Send("BYE")
	c.left.AnswerBye()
	bye.Expect(200)
	rs.End()
	c.judge(rs)
}

// The SRS's connection is gone in mid-session: the copies go on, and the BYE comes over a new one.
func TestLostConnectionToTheRecorder(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"tcp"}, srsParams: ";transport=tcp"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	st.srs().DropConnections()
	c.recorded(rs, 20)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// A phone registers with the PBX through us and answers its challenge.
func TestRegistrationPasses(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	call := peer.Call{URI: "sip:pbx.test", From: "<" + aliceAOR + ">", Opts: []peer.Opt{
		peer.With("To", "<"+aliceAOR+">"), peer.With("Expires", "300"),
	}}
	first := st.caller.Start("REGISTER", st.sys.SIP, call)
	in := st.callee.Expect("REGISTER")
	in.Reply(401, peer.With("WWW-Authenticate", `Digest realm="pbx.test", nonce="n"`))
	if got := first.Expect(401).Get("WWW-Authenticate"); got != `Digest realm="pbx.test", nonce="n"` {
		t.Errorf("challenged by %q", got)
	}
	call.CallID = first.Sent.CallID()
	call.Opts = append(call.Opts, peer.With("From", first.Sent.Get("From")), peer.With("CSeq", "102 REGISTER"),
		peer.With("Authorization", `Digest username="alice", response="00"`))
	second := st.caller.Start("REGISTER", st.sys.SIP, call)
	in = st.callee.Expect("REGISTER")
	if in.Get("Authorization") != `Digest username="alice", response="00"` || in.Get("Expires") != "300" {
		t.Errorf("arrived as\n%s", in.Raw)
	}
	in.Reply(200, peer.With("Expires", "300"))
	second.Expect(200)
}

// The callee hangs up before the caller's ACK has come.
func TestByeBeforeTheAck(t *testing.T) {
	st := newStage(t, setup{t1: shortT1})
	st.srs().AcceptAll()
	c := st.invite(dialing{})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	bye := c.right.Send("BYE")
	in := c.left.Expect("BYE")
	c.left.Ack(ok)
	in.Reply(200)
	bye.Expect(200)
	for st.callee.Maybe("ACK", 0) != nil {
	}
	st.callee.Auto("ACK", func(*peer.Incoming) bool { return true })
}

// A final answer of the callee that comes twice, as over UDP it may, does no harm; the lost ACK is sent again.
func TestRepeated200OfTheCallee(t *testing.T) {
	st := newStage(t, setup{noPolicy: true})
	c := st.establish(dialing{})
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	st.callee.AwaitTimes(c.ack.Message, 2)
	c.heard(10)
	c.quiet()
	c.hangUp()
}
