package b2bua_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// The callee's repeated 200 is absorbed before the caller's ACK and acknowledged again after it.
func TestRepeated200(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	out := c.right.Send("OPTIONS") // behind them on the same path: they have been seen
	s.caller.Expect("OPTIONS").Reply(200)
	out.Expect(200)
	if in := s.pbx.Maybe("ACK", 0); in != nil {
		t.Error("ACK before the caller's")
	}
	c.left.Ack(ok)
	ack := c.right.Expect("ACK")
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	s.pbx.AwaitTimes(ack.Message, 2)
	c.hangUp()
	s.quiet()
}

// The caller never acknowledges: both sides are hung up, and the callee got its ACK.
func TestNoAck(t *testing.T) {
	s := newStage(t, setup{t1: 20 * time.Millisecond})
	c := s.invite()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.right.AnswerBye()
	c.right.Expect("ACK")
	c.left.AnswerBye()
}

// The callee hangs up at once: the caller gets its BYE when it has acknowledged, not before (RFC 3261 §15).
func TestByeBeforeTheAck(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	bye := c.right.Send("BYE", peer.With("Reason", "Q.850;cause=16"))
	bye.Expect(200)
	c.right.Expect("ACK")
	if in := s.caller.Maybe("BYE", 0); in != nil {
		t.Error("BYE before the ACK")
	}
	c.left.Ack(ok)
	if got := c.left.AnswerBye(); got.Get("Reason") != "Q.850;cause=16" {
		t.Errorf("BYE with Reason %q", got.Get("Reason"))
	}
	s.quiet()
}

// The caller hangs up instead of acknowledging: its 200 is not repeated any more.
func TestByeInsteadOfTheAck(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	c.right.Expect("ACK")
	bye.Expect(200)
	n := s.caller.Times(ok)
	c.out.Next(300 * time.Millisecond) // nothing comes; two repetitions would have
	if again := s.caller.Times(ok); again != n {
		t.Errorf("the 200 came %d times more", again-n)
	}
	s.quiet()
}

// BYEs cross: each is answered 200 and the call ends once, whatever the parties say to ours.
func TestByesCross(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	left, right := c.left.Send("BYE"), c.right.Send("BYE")
	left.Expect(200)
	right.Expect(200)
	s.caller.AutoReply("BYE", 481) // only now: the call would be over, and a BYE that comes then a stray one
	s.pbx.AutoReply("BYE", 481)
	if !peer.Eventually(func() bool { return s.server.Active() == 0 }) {
		t.Error("the call goes on")
	}
	s.quiet()
}

// A 200 and an INVITE without Contact get ours nevertheless: who gets them must know where to go on.
func TestContactIsNeverMissing(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite(peer.Without("Contact"))
	if c.in.Get("Contact") == "" {
		t.Error("the callee has no Contact")
	}
	c.in.Reply(200, peer.Without("Contact"), peer.WithSDP(c.sdpB(1)))
	ok := c.out.Expect(200)
	if ok.Get("Contact") == "" {
		t.Fatalf("the caller has no Contact: %q", ok.Raw)
	}
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	s.pbx.Expect("ACK")
	bye := c.left.Send("BYE")
	s.pbx.Expect("BYE").Reply(200)
	bye.Expect(200)
}

// The offer stands in the 200, the answer in the ACK; a caller that forgets the answer does not break what follows.
func TestDelayedOffer(t *testing.T) {
	for _, answered := range []bool{true, false} {
		s := newStage(t, setup{})
		c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
		c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob})
		c.in = s.pbx.Expect("INVITE")
		if len(c.in.Body) > 0 {
			t.Errorf("an offer from nowhere: %s", c.in.Body)
		}
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
		ok := c.out.Expect(200)
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		toB := peer.ParseSDP(ok.SDP()).Media[0].Addr()
		if toB == c.b.Addr() {
			t.Error("the offer in the 200 is not anchored")
		}
		if answered {
			c.left.Ack(ok, peer.WithSDP(c.sdpA(1)))
		} else {
			c.left.Ack(ok)
		}
		ack := c.right.Expect("ACK")
		if answered {
			c.a.Send(toB)
			c.b.AwaitFrom("caller", 0, 1)
			c.b.Send(peer.ParseSDP(ack.SDP()).Media[0].Addr())
			c.a.AwaitFrom("callee", 0, 1)
		}
		// A re-INVITE without SDP from the callee goes the same way, in the other direction.
		out := c.right.Send("INVITE")
		in := s.caller.Expect("INVITE")
		in.Reply(200, peer.WithSDP(c.sdpA(2)))
		ok = out.Expect(200)
		c.right.Ack(ok, peer.WithSDP(c.sdpB(2)))
		if got := c.left.Expect("ACK"); peer.ParseSDP(got.SDP()).Media[0].Addr() == c.b.Addr() {
			t.Error("the answer in the ACK is not anchored")
		}
		update := c.left.Send("UPDATE", peer.WithSDP(c.sdpA(3)))
		c.right.Expect("UPDATE").Reply(200, peer.WithSDP(c.sdpB(3)))
		update.Expect(200)
		c.hangUp()
		s.quiet()
	}
}

// The offer in a reliable 183 is answered in the PRACK.
func TestDelayedOfferInAReliable183(t *testing.T) {
	r := newRecorder(false)
	s := newStage(t, setup{recorder: r})
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.With("Supported", "100rel")}})
	c.in = s.pbx.Expect("INVITE")
	c.in.Reply(183, peer.With("Require", "100rel"), peer.With("RSeq", "9"), peer.WithSDP(c.sdpB(1)))
	got := c.out.Expect(183)
	toB := peer.ParseSDP(got.SDP()).Media[0].Addr()
	early := c.out.Dialog(got)
	prack := early.Send("PRACK", peer.With("RAck", "9 101 INVITE"), peer.WithSDP(c.sdpA(1)))
	in := s.pbx.Expect("PRACK")
	toA := peer.ParseSDP(in.SDP()).Media[0].Addr()
	if toA == c.a.Addr() || toB == c.b.Addr() {
		t.Error("not anchored")
	}
	in.Reply(200)
	prack.Expect(200)
	c.a.Send(toB)
	c.b.AwaitFrom("caller", 0, 1)
	<-r.begun
	// UPDATE in the early dialog, now that an offer is free again, by the callee.
	right := c.in.Dialog()
	update := right.Send("UPDATE", peer.WithSDP(c.sdpB(2)))
	s.caller.Expect("UPDATE").Reply(200, peer.WithSDP(c.sdpA(2)))
	update.Expect(200)
	c.in.Reply(200)
	ok := c.out.Expect(200)
	early.Last = c.out
	early.Ack(ok)
	s.pbx.Expect("ACK")
	c.left, c.right = early, right
	c.hangUp()
	s.quiet()
}

// A PBX that records by itself has its recording sessions through us: two streams that it alone sends, and the metadata.
func TestRecordingSessionOfThePBX(t *testing.T) {
	s := newStage(t, setup{})
	line := func(label, direction string) string {
		return "m=audio 4000 RTP/AVP 0\r\na=label:" + label + "\r\na=" + direction + "\r\n"
	}
	head := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	kind, body := peer.Mixed("b",
		peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/sdp"}}, Body: []byte(head + line("1", "sendonly") + line("2", "sendonly"))},
		peer.BodyPart{Headers: []peer.Header{{Name: "Content-Type", Value: "application/rs-metadata+xml"}, {Name: "Content-Disposition", Value: "recording-session"}}, Body: []byte("<recording/>")})
	out := s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{
		peer.With("Require", "siprec"), peer.With("Contact", s.caller.Contact("udp")+";+sip.src"), peer.WithBody(kind, body)}})
	in := s.pbx.Expect("INVITE")
	if in.Get("Require") != "siprec" || !strings.HasSuffix(in.Get("Contact"), ";+sip.src") || string(in.Part("application/rs-metadata+xml")) != "<recording/>" {
		t.Errorf("it came as %q", in.Raw)
	}
	if got := peer.ParseSDP(in.SDP()).Media; len(got) != 2 || got[0].Conn != "127.0.0.1" || got[1].Label != "2" || got[0].Port == got[1].Port {
		t.Errorf("offered %q", in.SDP())
	}
	in.Reply(200, peer.WithSDP([]byte(head+line("1", "recvonly")+line("2", "recvonly"))))
	ok := out.Expect(200)
	c := &call{st: s, left: out.Dialog(ok), right: in.Dialog()}
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.hangUp()
	s.quiet()
}
