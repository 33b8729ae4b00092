package b2bua_test

import (
	"net/netip"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

// Two forks with different SDP: preserved, the caller sees two dialogs; rewritten, one dialog and one answer in it.
func TestForksWithDifferentSDP(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		t.Run(string(identity), func(t *testing.T) {
			s := newStage(t, setup{identity: identity})
			c := s.invite()
			x := peer.NewMedia(t, "127.0.0.1", "c", "x")
			c.in.Reply(183, peer.Tag("x"), peer.WithSDP(peer.BuildSDP(7, peer.Line{Media: x, Payload: 8})))
			first := c.out.Expect(183)
			c.in.Reply(183, peer.Tag("y"), peer.WithSDP(c.sdpB(1)))
			second := c.out.Expect(183)
			if identity == b2bua.IdentityPreserve {
				if first.ToTag() != "x" || second.ToTag() != "y" || len(second.Body) == 0 {
					t.Errorf("forks seen as %q", second.Raw)
				}
			} else if first.ToTag() != second.ToTag() || len(second.Body) != 0 || second.Get("Content-Type") != "" {
				t.Errorf("one dialog, another answer: %q", second.Raw)
			}
			c.in.Tag = "y"
			c.in.Reply(200, peer.Tag("y"), peer.WithSDP(c.sdpB(1)))
			ok := c.out.Expect(200)
			c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
			c.left.Ack(ok)
			c.right.Expect("ACK")
			c.hangUp()
			s.quiet()
		})
	}
}

// A fork that loses with a second 200 is acknowledged and hung up, once, however often it says so.
func TestSecondForkAnswersToo(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity})
		c := s.invite()
		c.in.Reply(180, peer.Tag("x"))
		c.in.Reply(180, peer.Tag("y"))
		c.out.Expect(180)
		c.out.Expect(180)
		c.in.Tag = "x"
		c.answer(peer.Tag("x"))
		loser := *c.in
		loser.Tag = "y"
		loser.Reply(200, peer.Tag("y"), peer.WithSDP(c.sdpB(1)))
		y := loser.Dialog()
		ack := y.Expect("ACK")
		y.AnswerBye()
		loser.Reply(200, peer.Tag("y"), peer.WithSDP(c.sdpB(1)))
		s.pbx.AwaitTimes(ack.Message, 2)
		c.hangUp()
		s.quiet()
	}
}

// The fork that answers decides the media, also when its answer stood in its reliable 183 and another fork spoke last.
func TestWinningForkDecidesTheMedia(t *testing.T) {
	r := newRecorder(false)
	s := newStage(t, setup{recorder: r})
	c := s.invite(peer.With("Supported", "100rel"))
	var to netip.AddrPort
	reliable := func(tag, rseq string, body []byte) {
		c.in.Reply(183, peer.Tag(tag), peer.With("Require", "100rel"), peer.With("RSeq", rseq), peer.WithSDP(body))
		got := c.out.Expect(183)
		for got.ToTag() != tag { // the other fork's, repeated for an INVITE that was
			got = c.out.Expect(183)
		}
		early := c.out.Dialog(got)
		to = peer.ParseSDP(got.SDP()).Media[0].Addr()
		prack := early.Send("PRACK", peer.With("RAck", rseq+" 101 INVITE"))
		in := s.pbx.Expect("PRACK")
		if in.ToTag() != tag || in.Get("RAck") != rseq+" 101 INVITE" {
			t.Errorf("PRACK to %q, RAck %q", in.ToTag(), in.Get("RAck"))
		}
		in.Reply(200)
		prack.Expect(200)
	}
	reliable("x", "4711", c.sdpB(1))
	other := peer.NewMedia(t, "127.0.0.1", "c", "y")
	reliable("y", "77", peer.BuildSDP(1, peer.Line{Media: other, Payload: 8}))
	c.in.Tag = "x"
	c.in.Reply(200, peer.Tag("x"))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	var last metadata.Snapshot
	for len(r.updates) > 0 {
		last = <-r.updates
	}
	if f := last.Streams[0].Caller.Formats; len(f) == 0 || f[0].Name != "PCMU" {
		t.Errorf("the caller sends %+v", f)
	}
	c.a.Send(to)
	c.b.AwaitFrom("caller", 0, 1)
	c.left.CSeq += 10 // the PRACKs had numbers, too
	c.hangUp()
	s.quiet()
}

// Two forks offer something in their reliable 183s, the INVITE having no offer: each PRACK answers the offer of its fork, also
// when it is challenged and comes again. Whoever takes the call has the media that were agreed with it.
func TestForksThatOffer(t *testing.T) {
	for _, winner := range []string{"x", "y"} {
		s := newStage(t, setup{})
		c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
		c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.With("Supported", "100rel")}})
		c.in = s.pbx.Expect("INVITE")
		media := map[string]*peer.Media{"x": peer.NewMedia(t, "127.0.0.1", "c", "x"), "y": peer.NewMedia(t, "127.0.0.1", "c", "y")}
		early := map[string]*peer.Dialog{}
		var to netip.AddrPort
		for _, tag := range []string{"x", "y"} {
			c.in.Reply(183, peer.Tag(tag), peer.With("Require", "100rel"), peer.With("RSeq", "1"), peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: media[tag]})))
			got := c.out.Expect(183)
			for got.ToTag() != tag { // the other fork's, repeated for an INVITE that was
				got = c.out.Expect(183)
			}
			early[tag] = c.out.Dialog(got)
			to = peer.ParseSDP(got.SDP()).Media[0].Addr()
		}
		for _, tag := range []string{"x", "y"} {
			for _, status := range []int{407, 200} {
				prack := early[tag].Send("PRACK", peer.With("RAck", "1 101 INVITE"), peer.WithSDP(c.sdpA(1)))
				in := s.pbx.Expect("PRACK")
				if at := peer.ParseSDP(in.SDP()).Media[0].Addr(); in.ToTag() != tag || at == c.a.Addr() {
					t.Errorf("PRACK to %q, media to %s", in.ToTag(), at)
				}
				in.Reply(status, peer.With("Proxy-Authenticate", trunk))
				prack.Expect(status)
			}
		}
		c.in.Tag = winner
		c.in.Reply(200, peer.Tag(winner))
		ok := c.out.Expect(200)
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		c.left.Ack(ok)
		c.right.Expect("ACK")
		c.a.Send(to)
		media[winner].AwaitFrom("caller", 0, 1)
		c.left.CSeq += 10 // the PRACKs had numbers, too
		c.hangUp()
		s.quiet()
	}
}

// Rewritten, reliable responses of two forks are numbered as the one dialog they are, and each PRACK finds its fork.
func TestReliableForksRewritten(t *testing.T) {
	s := newStage(t, setup{identity: b2bua.IdentityRewrite})
	c := s.invite(peer.With("Supported", "100rel"))
	var early *peer.Dialog
	before := ""
	for i, fork := range []struct{ tag, rseq, number string }{{"x", "4711", "1"}, {"y", "77", "2"}, {"x", "4712", "3"}} {
		c.in.Reply(180, peer.Tag(fork.tag), peer.With("Require", "100rel"), peer.With("RSeq", fork.rseq))
		got := c.out.Expect(180)
		for got.Get("RSeq") == before { // repeated for an INVITE that was
			got = c.out.Expect(180)
		}
		before = got.Get("RSeq")
		if got.Get("RSeq") != fork.number {
			t.Errorf("RSeq %s of fork %s became %s", fork.rseq, fork.tag, got.Get("RSeq"))
		}
		if i == 0 {
			early = c.out.Dialog(got)
		}
		prack := early.Send("PRACK", peer.With("RAck", got.Get("RSeq")+" 101 INVITE"))
		in := s.pbx.Expect("PRACK")
		if in.ToTag() != fork.tag || in.Get("RAck") != fork.rseq+" 101 INVITE" {
			t.Errorf("PRACK to %q, RAck %q", in.ToTag(), in.Get("RAck"))
		}
		in.Reply(200)
		prack.Expect(200)
	}
	c.in.Tag = "y"
	c.answer(peer.Tag("y"))
	c.left.CSeq += 10
	c.hangUp()
	s.quiet()
}

// Rewritten, the requests of two forks are one dialog for the caller: its numbers rise.
func TestRequestsOfForksRewritten(t *testing.T) {
	s := newStage(t, setup{identity: b2bua.IdentityRewrite})
	c := s.invite()
	var last uint32
	for _, tag := range []string{"x", "y", "x"} {
		c.in.Reply(180, peer.Tag(tag))
		c.out.Expect(180)
		fork := *c.in
		fork.Tag = tag
		info := fork.Dialog()
		if tag == "x" && last > 0 {
			info.CSeq += 5
		}
		out := info.Send("INFO")
		in := s.caller.Expect("INFO")
		if n, _ := in.CSeq(); n <= last {
			t.Errorf("CSeq %d after %d", n, last)
		} else {
			last = n
		}
		in.Reply(200)
		out.Expect(200)
	}
	c.out.Cancel().Expect(200)
	c.in.ExpectOther("CANCEL").Reply(200)
	c.in.Reply(487)
	c.in.ExpectOther("ACK")
	c.out.Expect(487)
	s.quiet()
}

// The caller hangs up one early dialog of two: the other one rings on.
func TestByeToOneForkOfTwo(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(180, peer.Tag("x"))
	x := c.out.Dialog(c.out.Expect(180))
	c.in.Reply(180, peer.Tag("y"))
	c.out.Expect(180)
	bye := x.Send("BYE")
	in := s.pbx.Expect("BYE")
	if in.ToTag() != "x" {
		t.Errorf("BYE to %q", in.ToTag())
	}
	in.Reply(200)
	bye.Expect(200)
	c.in.Tag = "y"
	c.answer(peer.Tag("y"))
	c.hangUp()
	s.quiet()
}

// The caller hangs up the only early dialog: as good as CANCEL. The callee may not (RFC 3261 §15).
func TestByeInTheEarlyDialog(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(180)
	early := c.out.Dialog(c.out.Expect(180))
	c.in.Dialog().Send("BYE").Expect(481)
	early.Send("BYE", peer.With("Reason", "Q.850;cause=16")).Expect(200)
	if got := c.in.ExpectOther("CANCEL"); got.Get("Reason") != "Q.850;cause=16" {
		t.Errorf("CANCEL with Reason %q", got.Get("Reason"))
	} else {
		got.Reply(200)
	}
	c.in.Reply(487)
	c.in.ExpectOther("ACK")
	c.out.Expect(487)
	s.quiet()
}

// A callee of RFC 2543 has no tags at all.
func TestCalleeWithoutTag(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity})
		c := s.invite()
		untagged := func(m *peer.Message) { peer.With("To", c.in.Get("To"))(m) }
		c.in.Reply(180, untagged)
		c.out.Expect(180)
		c.in.Reply(200, untagged, peer.WithSDP(c.sdpB(1)))
		ok := c.out.Expect(200)
		if ok.ToTag() == "" {
			t.Errorf("the caller has no dialog: %q", ok.Raw)
		}
		c.left = c.out.Dialog(ok)
		c.left.Ack(ok)
		s.pbx.Expect("ACK")
		right := c.in.Dialog()
		right.Local = c.in.Get("To")
		bye := right.Send("BYE")
		c.left.AnswerBye()
		bye.Expect(200)
		s.quiet()
	}
}

// No number of invented forks makes the call grow without bound.
func TestManyForks(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	for i := range 200 {
		c.in.Reply(180, peer.Tag("fork"+string(rune('0'+i%10))+string(rune('0'+i/10%10))+string(rune('0'+i/100))))
	}
	c.in.Reply(200, peer.Tag("winner"), peer.WithSDP(c.sdpB(1)))
	c.in.Tag = "winner"
	ok := c.out.ExpectFinal()
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	c.hangUp()
}

// Rewritten, the caller has one dialog while the targets change: numbers in it go on rising.
func TestEarlyDialogSurvivesTheHuntRewritten(t *testing.T) {
	s := newStage(t, setup{identity: b2bua.IdentityRewrite, hunting: true})
	c := s.invite()
	var numbers []uint32
	info := func(in *peer.Incoming) {
		in.Reply(180)
		c.out.Expect(180)
		out := in.Dialog().Send("INFO")
		got := s.caller.Expect("INFO")
		n, _ := got.CSeq()
		numbers = append(numbers, n)
		got.Reply(200)
		out.Expect(200)
	}
	info(c.in)
	c.in.Reply(503)
	c.in.ExpectOther("ACK")
	c.in = s.second.Expect("INVITE")
	info(c.in)
	if numbers[1] <= numbers[0] {
		t.Errorf("the caller saw the numbers %d", numbers)
	}
	c.answer().hangUp()
	s.quiet()
}
