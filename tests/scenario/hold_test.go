package scenario_test

import (
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// change is one offer and answer in a running call.
type change struct {
	method        string // INVITE or UPDATE
	fromCallee    bool
	offer, answer peer.Line // Media is filled in
	opts          []peer.Opt
}

// apply has one party offer and the other answer, both taking what they get; it gives the offer as it arrived.
func (c *call) apply(ch change) *peer.Incoming {
	c.st.t.Helper()
	here, there, near, far := c.left, c.right, c.a, c.b
	if ch.fromCallee {
		here, there, near, far = c.right, c.left, c.b, c.a
	}
	c.sdpVersion++
	ch.offer.Media, ch.answer.Media = near, far
	out := here.Send(ch.method, append(ch.opts, peer.WithSDP(peer.BuildSDP(c.sdpVersion, ch.offer)))...)
	in := there.Expect(ch.method)
	in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, ch.answer)))
	ok := out.Expect(200)
	if ch.method == "INVITE" {
		here.Ack(ok)
		there.Expect("ACK")
	}
	nearTo, farTo := &c.aTo, &c.bTo
	if ch.fromCallee {
		nearTo, farTo = farTo, nearTo
	}
	*nearTo, *farTo = or(firstMedia(c.st.t, ok), *nearTo), or(firstMedia(c.st.t, in.Message), *farTo)
	return in
}

// Hold and resume, by each party, in each form, by each method: copies stop before the SRS is told, one re-INVITE says
// so with complete SDP and metadata, and the way back is the same.
func TestHoldPausesTheRecording(t *testing.T) {
	forms := map[string][2]peer.Line{
		"sendonly": {{Direction: "sendonly"}, {Direction: "recvonly"}},
		"inactive": {{Direction: "inactive"}, {Direction: "inactive"}},
		"c=0":      {{Zero: true}, {}},
	}
	for _, method := range []string{"INVITE", "UPDATE"} {
		for _, who := range []string{"caller", "callee"} {
			for form, lines := range forms {
				t.Run(who+" by "+method+" "+form, func(t *testing.T) {
					testHold(t, change{method: method, fromCallee: who == "callee", offer: lines[0], answer: lines[1]})
				})
			}
		}
	}
}

func testHold(t *testing.T, hold change) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	heldFlow := "2" // the held party's flow
	if hold.fromCallee {
		heldFlow = "1"
	}

	in := c.apply(hold)
	if got := peer.ParseSDP(in.SDP()).Media[0]; got.Direction != or(hold.offer.Direction, "sendrecv") {
		t.Errorf("the hold arrived as %s", got.Direction)
	} else if hold.offer.Zero && got.Conn != "0.0.0.0" {
		t.Errorf("c=0.0.0.0 arrived as %s", got.Conn)
	}
	update := rs.ExpectUpdate()
	aMark, bMark := c.a.Sent(), c.b.Sent() // what is sent from here on must not reach the SRS
	update.Reply(200, peer.WithSDP(rs.Answer()))
	update.ExpectOther("ACK")
	if !slices.Equal(rs.Directions(), []string{"inactive", "inactive"}) {
		t.Errorf("held, and the SRS is offered %v", rs.Directions())
	}
	if sender := rs.Doc().Sender(heldFlow); sender != "" {
		t.Errorf("held, and the metadata says that %s sends label %s", sender, heldFlow)
	}
	awaitSent(c, 20) // both go on sending, as phones on hold do that play music or did not hear
	c.a.Quiet()
	c.b.Quiet()
	aHeld, bHeld := c.a.Sent()-inFlight, c.b.Sent()-inFlight

	c.apply(change{method: hold.method, fromCallee: hold.fromCallee})
	rs.Update()
	c.talk()
	if !slices.Equal(rs.Directions(), []string{"sendonly", "sendonly"}) {
		t.Errorf("resumed, and the SRS is offered %v", rs.Directions())
	}
	if rs.Doc().Sender("1") != aliceAOR || rs.Doc().Sender("2") != bobAOR {
		t.Errorf("resumed, and the senders are %q and %q", rs.Doc().Sender("1"), rs.Doc().Sender("2"))
	}
	c.recorded(rs, 10)
	c.hangUp()
	rs.End()
	none(t, rs.Streams["1"], aMark, aHeld)
	none(t, rs.Streams["2"], bMark, bHeld)
	c.judge(rs)
}

// inFlight is how many of the last packets of a pause may still be on their way to the relay when it ends: on a busy
// machine the call's next offer and answer can overtake them.
const inFlight = 3

// awaitSent waits until both parties have sent n more packets.
func awaitSent(c *call, n int) {
	c.st.t.Helper()
	a, b := c.a.Sent()+n, c.b.Sent()+n
	if !peer.Eventually(func() bool { return c.a.Sent() >= a && c.b.Sent() >= b }) {
		c.st.t.Fatal("nobody talks")
	}
}

// With on_hold: ignore the recording goes on while the call is held; the metadata still tells.
func TestHoldIsIgnoredWhereAsked(t *testing.T) {
	st := newStage(t, setup{rule: "on_hold: ignore"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	rs.Recorder.AutoReply("UPDATE", 200)
	answerUpdates(rs)
	c.recorded(rs, 10)
	c.apply(change{method: "INVITE", offer: peer.Line{Direction: "sendonly"}, answer: peer.Line{Direction: "recvonly"}})
	rs.Streams["1"].AwaitFrom("alice", c.a.Sent(), 20)
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// answerUpdates answers each re-INVITE of the session from now on, unseen.
func answerUpdates(rs *peer.Session) {
	rs.Recorder.Auto("INVITE", func(in *peer.Incoming) bool {
		if in.CallID() != rs.Dialog.CallID || in.ToTag() == "" {
			return false
		}
		in.Reply(200, peer.WithSDP(rs.Answer()))
		return true
	})
	rs.Recorder.Auto("ACK", func(in *peer.Incoming) bool { return in.CallID() == rs.Dialog.CallID && in.ToTag() != "" })
}

// A changed codec reaches the other party, the audio goes on, and the SRS is offered the new one.
func TestCodecChange(t *testing.T) {
	for _, fromCallee := range []bool{false, true} {
		t.Run(map[bool]string{false: "caller", true: "callee"}[fromCallee], func(t *testing.T) {
			st := newStage(t, setup{})
			c := st.establish(dialing{})
			rs := st.srs().Accept()
			c.recorded(rs, 5)
			c.quiet()
			c.apply(change{method: "INVITE", fromCallee: fromCallee,
				offer: peer.Line{Payload: 8}, answer: peer.Line{Payload: 8}})
			c.a.PT, c.b.PT = 8, 8
			rs.Update()
			for i, line := range rs.Offer().Media {
				if !slices.Contains(line.Formats, "8") {
					t.Errorf("m-line %d offers %v after the change to PCMA", i+1, line.Formats)
				}
			}
			c.talk()
			c.recorded(rs, 10)
			c.quiet()
			c.hangUp()
			rs.End()
			for label, stream := range rs.Streams {
				if last := stream.Packets()[len(stream.Packets())-1]; last.PT != 8 {
					t.Errorf("label %s ends with payload type %d", label, last.PT)
				}
			}
			c.judge(rs)
		})
	}
}

// A party that moves its media in mid-call is followed; the other side keeps its ports.
func TestMediaMovesInMidCall(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	answerUpdates(rs)
	c.recorded(rs, 5)
	c.quiet()
	was := c.bTo
	c.a = peer.NewMedia(t, callerIP, c.a.Call, "moved alice")
	c.apply(change{method: "INVITE"})
	if c.bTo != was {
		t.Errorf("the callee was moved from %v to %v", was, c.bTo)
	}
	c.talk()
	c.heard(10)
	c.hangUp()
	rs.End()
}

// A re-INVITE that the far side refuses leaves call and recording as they were.
func TestRefusedReinviteChangesNothing(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: c.a, Direction: "sendonly"})))
	in := c.right.Expect("INVITE")
	in.Reply(488, peer.With("Warning", `304 pbx.test "no hold here"`))
	refused := out.Expect(488)
	if refused.Get("Warning") == "" {
		t.Error("the Warning was dropped")
	}
	in.ExpectOther("ACK")
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// Glare: both offer at once, each hears 491 and the call lives.
func TestGlare(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	answerUpdates(rs)
	c.recorded(rs, 5)
	// Whoever's offer passes finds the other busy with its own; a UA then answers 491 (RFC 3261 §14.2).
	c.st.caller.Auto("INVITE", func(in *peer.Incoming) bool { in.Reply(491); return true })
	c.st.callee.Auto("INVITE", func(in *peer.Incoming) bool { in.Reply(491); return true })
	left := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: c.a})))
	right := c.right.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, peer.Line{Media: c.b})))
	if got := left.ExpectFinal(); got.Status() != 491 {
		t.Errorf("caller got %s", got.Start)
	}
	if got := right.ExpectFinal(); got.Status() != 491 {
		t.Errorf("callee got %s", got.Start)
	}
	ignoreAcks(st.caller, st.callee)
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
}

func ignoreAcks(peers ...*peer.Peer) {
	for _, p := range peers {
		for p.Maybe("ACK", 0) != nil {
		}
		p.Auto("ACK", func(*peer.Incoming) bool { return true })
	}
}
