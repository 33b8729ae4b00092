package scenario_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// A recorded call, both ways, over each pair of transports: every packet of every flow is where it belongs.
func TestCallIsRelayedForkedAndRecorded(t *testing.T) {
	for _, callerNet := range []string{"udp", "tcp"} {
		for _, calleeNet := range []string{"udp", "tcp"} {
			t.Run(callerNet+" to "+calleeNet, func(t *testing.T) {
				st := newStage(t, setup{callee: calleeNet})
				c := st.establish(dialing{network: callerNet})
				if c.in.Network() != calleeNet {
					t.Errorf("the callee was reached over %s", c.in.Network())
				}
				rs := st.srs().Accept()
				wantParties(t, rs)
				c.recorded(rs, 20)
				c.heard(20)
				c.quiet()
				c.hangUp()
				rs.End()
				c.judge(rs)
				for label, from := range map[string]*peer.Media{"1": c.a, "2": c.b} {
					stream := rs.Streams[label]
					gapless(t, stream, stream.Packets()[0].Number, from.Sent())
				}
			})
		}
	}
}

// wantParties checks labels and participants of the first offer: label 1 the caller, 2 the callee.
func wantParties(t *testing.T, rs *peer.Session) {
	t.Helper()
	if !slices.Equal(rs.Labels, []string{"1", "2"}) {
		t.Errorf("labels %v", rs.Labels)
	}
	doc := rs.Docs[0]
	for label, aor := range map[string]string{"1": aliceAOR, "2": bobAOR} {
		if doc.Sender(label) != aor {
			t.Errorf("label %s is sent by %q, not by %q", label, doc.Sender(label), aor)
		}
	}
	if doc.Receiver("1") != bobAOR || doc.Receiver("2") != aliceAOR {
		t.Errorf("receivers are %q and %q", doc.Receiver("1"), doc.Receiver("2"))
	}
}

// The recording session's end is told in metadata where a last document is sent, and BYE comes in any case.
func TestLastDocumentHasItsStopTime(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.hangUp()
	bye := rs.End()
	last := rs.Doc()
	if raw := bye.Part("application/rs-metadata+xml"); raw != nil {
		doc, problems := peer.ParseMetadata(raw)
		if len(problems) > 0 {
			t.Errorf("the BYE's document: %q", problems)
		}
		last = doc
	}
	if len(rs.Docs) < 2 && bye.Part("application/rs-metadata+xml") == nil {
		t.Fatal("no document at the session's end")
	}
	if len(last.Sessions) != 1 || last.Sessions[0].StopTime == "" {
		t.Errorf("no stop-time in the last document:\n%s", last.Raw)
	}
}

func TestRTCPIsRelayed(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.heard(5)
	for _, way := range []struct {
		from, to *peer.Media
		at       media
	}{{c.a, c.b, c.aTo}, {c.b, c.a, c.bTo}} {
		report := receiverReport(way.from.SSRC)
		way.from.SendRTCP(way.at.rtcp, report)
		way.to.AwaitRTCP("receiver report of "+way.from.Party, func(b []byte) bool { return slices.Equal(b, report) })
	}
	c.hangUp()
	rs.End()
}

func receiverReport(ssrc uint32) []byte {
	b := []byte{0x80, 201, 0, 1, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[4:], ssrc)
	return b
}

// Early media: the callee's announcement before the answer reaches the caller, and is not recorded by default.
func TestEarlyMedia(t *testing.T) {
	st := newStage(t, setup{})
	c := st.invite(dialing{})
	c.in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	progress := c.out.Expect(183)
	c.aTo, c.bTo = firstMedia(t, progress), firstMedia(t, c.in.Message)
	c.b.Talk(c.bTo.rtp)
	c.a.AwaitFrom("bob", 0, 10)
	if in := st.srs().Maybe("INVITE", 0); in != nil {
		t.Error("the SRS was asked before the answer")
	}
	c.answer(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// With start: early the recording begins with the first 1xx that has SDP.
func TestEarlyMediaIsRecordedWhereAsked(t *testing.T) {
	st := newStage(t, setup{rule: "start: early"})
	c := st.invite(dialing{})
	c.in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	progress := c.out.Expect(183)
	c.aTo, c.bTo = firstMedia(t, progress), firstMedia(t, c.in.Message)
	rs := st.srs().Accept()
	c.talk()
	rs.Streams["2"].AwaitFrom("bob", c.b.Sent(), 10)
	c.answer(dialing{})
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// Delayed offer: the callee offers in its 200, the caller answers in its ACK.
func TestOfferInTheAnswerAndAnswerInTheAck(t *testing.T) {
	st := newStage(t, setup{})
	c := st.newCall(dialing{})
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">"})
	c.in = st.callee.Expect("INVITE")
	if len(c.in.Body) > 0 {
		t.Errorf("the INVITE got a body:\n%s", c.in.Body)
	}
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.aTo = firstMedia(t, ok)
	c.left.Ack(ok, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.a})))
	c.bTo = firstMedia(t, c.right.Expect("ACK").Message)
	c.talk()
	rs := st.srs().Accept()
	wantParties(t, rs)
	c.recorded(rs, 10)
	c.quiet()
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// Many calls at once keep their own copies: nobody hears or records anybody else.
func TestCallsAtOnceKeepApart(t *testing.T) {
	const n = 12
	st := newStage(t, setup{})
	var calls []*call
	sessions := map[string]*peer.Session{}
	for i := range n {
		c := st.establish(dialing{from: fmt.Sprintf("\"number %d\" <%s>", i, aliceAOR)})
		calls = append(calls, c)
		rs := st.srs().Accept()
		sessions[c.a.Call] = rs
	}
	for _, c := range calls {
		c.recorded(sessions[c.a.Call], 10)
	}
	for _, c := range calls {
		c.quiet()
	}
	for _, c := range calls {
		c.hangUp()
		sessions[c.a.Call].End()
		c.judge(sessions[c.a.Call])
	}
}

// A hostile display name and URI do not break the document.
func TestHostileNamesGiveValidMetadata(t *testing.T) {
	st := newStage(t, setup{})
	c := st.establish(dialing{from: `"A & B <x>" <sip:alice@caller.test>`, uri: "sip:bob@pbx.test;x=a&b"})
	rs := st.srs().Accept()
	doc := rs.Docs[0]
	if len(doc.Participants) != 2 || doc.Participants[0].Names[0].Name != "A & B <x>" {
		t.Errorf("participants %+v", doc.Participants)
	}
	c.hangUp()
	rs.End()
}
