package scenario_test

import (
	"bytes"
	"testing"

	"sidetrack/tests/peer"
)

// A device that a PBX puts in the callee's place knows nothing of how often the sequence numbers have begun anew: our key
// towards it is a new one, be it that it offers or answers. Who only refreshes, or changes nothing but his own key, goes on
// with the key that he has.
func TestNewDeviceBehindAnSRTPLeg(t *testing.T) {
	st := newStage(t, setup{route: route("off", "required"), recorder: "    plain_copy: true"})
	c, keys := st.legsCall(ends{quiet: true}, ends{suite: gcm256, asked: "RTP/SAVP"})
	rs := st.srs().Accept()
	b, first := keys[0], keys[1]
	c.a.StartAt(65520)
	c.talk()
	c.heard(40) // beyond the end of the numbers

	version, session := 1, "4711"
	describe := func() []byte {
		version++
		return bytes.Replace(peer.BuildSDP(version, peer.Line{Media: c.b, Proto: "RTP/SAVP", Extra: []string{b.attribute()}}), []byte("4711"), []byte(session), 1)
	}
	offers := func() *sdes { // what the callee offers, and the key that it is answered with
		t.Helper()
		out := c.right.Send("INVITE", peer.WithSDP(describe()))
		in := c.left.Expect("INVITE")
		in.Reply(200, peer.WithSDP(peer.BuildSDP(version, peer.Line{Media: c.a})))
		ok := out.Expect(200)
		c.right.Ack(ok)
		c.left.Expect("ACK")
		return keyOf(t, peer.ParseSDP(ok.Body).Media[0], gcm256)
	}
	newKey := func() {
		b = newSDES(t, b.tag, gcm256)
		c.b.Protect(b.seal(), nil)
	}
	if again := offers(); again.secret() != first.secret() {
		t.Error("a refresh changes our key")
	}
	newKey()
	if again := offers(); again.secret() != first.secret() {
		t.Error("the key of the same device changes ours")
	}
	session = "815"
	if again := offers(); again.secret() != first.secret() {
		t.Error("another o= alone changes our key")
	}

	c.b.Quiet()
	session = "9"
	b = newSDES(t, b.tag, gcm256)
	c.b.Protect(b.seal(), func([]byte) []byte { return nil }) // it has the key that the answer brings only when that has been read
	second := offers()
	if second.secret() == first.secret() {
		t.Fatal("another device has our old key")
	}
	c.b.Protect(b.seal(), second.open())
	c.b.Talk(c.bTo.rtp)
	c.heard(20)

	// One that answers: the caller's offer bears the key that the former one knows. What it cannot open is nothing of note.
	for _, at := range []uint16{30000, 60000, 65520} { // always ahead
		c.a.Quiet()
		c.a.StartAt(at)
		c.a.Talk(c.aTo.rtp)
		c.heard(40)
	}
	c.b.Quiet()
	out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(90, peer.Line{Media: c.a})))
	in := c.right.Expect("INVITE")
	offered := keyOf(t, peer.ParseSDP(in.Body).Media[0], gcm256)
	if offered.secret() != second.secret() {
		t.Error("an offer has another key before anybody else has answered")
	}
	b, session = newSDES(t, offered.tag, gcm256), "10"
	c.b.Protect(b.seal(), func([]byte) []byte { return nil })
	in.Reply(200, peer.WithSDP(describe()))
	c.left.Ack(out.Expect(200))
	c.right.Expect("ACK")
	in = c.right.Expect("INVITE")
	third := keyOf(t, peer.ParseSDP(in.Body).Media[0], gcm256)
	if third.secret() == second.secret() {
		t.Fatal("another device that has answered is offered our old key once more")
	}
	in.Reply(200, peer.WithSDP(describe()))
	c.right.Expect("ACK")
	c.b.Protect(b.seal(), third.open())
	c.b.Talk(c.bTo.rtp)
	c.heard(20)
	c.hangUp()
	rs.End()
	st.result("complete")
}
