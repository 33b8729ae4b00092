package scenario_test

import (
	"bytes"
	"slices"
	"testing"

	"sidetrack/tests/peer"
)

// The life of a call that ends SRTP on its legs: held and resumed by either party, with the same key and with a new one,
// keys changed while all talk, and a plain source that begins its numbers anew. Each party hears the other throughout, and
// the SRS has what was said outside of the holds.
func TestEndedSRTPOverACallsLife(t *testing.T) {
	t.Run("plain to SRTP", func(t *testing.T) { srtpLife(t, ends{}, ends{suite: gcm256, asked: "RTP/SAVP"}) })
	t.Run("SRTP to SRTP", func(t *testing.T) { srtpLife(t, ends{suite: cm80}, ends{suite: gcm256, asked: "RTP/SAVP"}) })
}

func srtpLife(t *testing.T, left, right ends) {
	t.Helper()
	st := newStage(t, setup{route: route(map[bool]string{true: "off", false: "required"}[left.suite == ""], "required"), recorder: "    plain_copy: true"})
	c, keys := st.legsCall(left, right)
	rs := st.srs().Accept()
	var a *sdes // the caller's key; nil: it speaks in clear
	if left.suite != "" {
		a, keys = keys[0], keys[1:]
	}
	b := keys[0]
	line := func(k *sdes, direction string) peer.Line {
		if k == nil {
			return peer.Line{Direction: direction}
		}
		return peer.Line{Proto: "RTP/SAVP", Extra: []string{k.attribute()}, Direction: direction}
	}
	// An answer bears the tag of the line that it takes: they are in the route's order.
	answered := func(k *sdes, direction string) peer.Line {
		if k != nil {
			own := *k
			own.tag = map[string]int{gcm256: 1, cm80: 2}[k.suite]
			k = &own
		}
		return line(k, direction)
	}
	fresh := func(k *sdes, tag int) *sdes {
		n := newSDES(t, tag, k.suite)
		n.by = k.by
		return n
	}
	c.recorded(rs, 20)
	c.heard(20)

	// Held by the caller, who plays music, and resumed.
	c.b.Quiet()
	c.apply(change{method: "INVITE", offer: line(a, "sendonly"), answer: answered(b, "recvonly")})
	rs.Update()
	c.b.AwaitFrom("alice", c.a.Sent(), 10)
	c.apply(change{method: "INVITE", offer: line(a, "sendrecv"), answer: answered(b, "sendrecv")})
	rs.Update()
	c.talk()
	c.heard(20)

	// Held and resumed by the callee, with a new key each time.
	for i, direction := range []string{"sendonly", "sendrecv"} {
		c.quiet()
		b = fresh(b, 10+i)
		answer := map[string]string{"sendonly": "recvonly", "sendrecv": "sendrecv"}[direction]
		c.apply(change{method: "INVITE", fromCallee: true, offer: line(b, direction), answer: answered(a, answer)})
		c.b.Protect(b.seal(), nil)
		rs.Update()
		c.b.Talk(c.bTo.rtp)
		c.a.AwaitFrom("bob", c.b.Sent(), 10)
	}
	c.a.Talk(c.aTo.rtp)
	c.heard(20)

	// The caller's new key, or a plain source that begins anew, again and again.
	c.recorded(rs, 10)
	if a != nil {
		c.a.Quiet()
		a = fresh(a, 20)
		c.apply(change{method: "INVITE", offer: line(a, "sendrecv"), answer: answered(b, "sendrecv")})
		c.a.Protect(a.seal(), nil)
		c.a.Talk(c.aTo.rtp)
		c.heard(20)
	} else {
		for _, seq := range []uint16{9, 65535, 40000, 39950, 3} {
			c.a.Quiet()
			at := c.a.Sent()
			c.b.AwaitFrom("alice", at-1, 1)
			c.a.StartAt(seq)
			c.a.Talk(c.aTo.rtp)
			got := c.b.AwaitFrom("alice", at+5, 20)
			first := slices.IndexFunc(got, func(p peer.Packet) bool { return p.Party == "alice" && p.Number > at })
			if n := got[first].Number - at; n > 5 {
				t.Errorf("from %d on the callee hears the caller again with the %dth packet", seq, n)
			}
		}
	}
	c.recorded(rs, 10)
	c.a.Quiet()
	c.b.Quiet()
	numbers := map[uint16]bool{}
	for _, p := range c.b.Packets() { // what began anew has other numbers, and nothing else
		if sent := c.a.SentPackets()[p.Number-1]; !bytes.Equal(p.Payload, sent.Payload) || p.Stamp != sent.Stamp || numbers[p.Seq] {
			t.Fatalf("number %d of the caller has changed on its way, or came twice", p.Number)
		}
		numbers[p.Seq] = true
	}
	c.hangUp()
	rs.End()
	st.result("complete")
}
