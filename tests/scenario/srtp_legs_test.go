package scenario_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"sidetrack/tests/peer"
)

const (
	cm80   = "AES_CM_128_HMAC_SHA1_80"
	gcm256 = "AEAD_AES_256_GCM"
)

// ends is a leg's party: what it says, and what it shall have been said.
type ends struct {
	suite string // "": it speaks RTP
	proto string // of its offer; "": by the suite
	asked string // as the callee: the protocol it is to be offered
	leave bool   // as the callee: it leaves the keys that it is offered

	by     func(k *sdes, way string) func([]byte) []byte // who seals and opens; nil: pion
	passes bool                                          // as the callee: it shall see the caller's key, and the caller its own
	quiet  bool                                          // as the caller: nobody talks yet
}

// keyOf is the party's idea of our line with that suite.
func keyOf(t *testing.T, m peer.SDPMedia, suite string) *sdes {
	t.Helper()
	for _, a := range m.Attrs {
		f := strings.Fields(strings.TrimPrefix(a, "crypto:"))
		if !strings.HasPrefix(a, "crypto:") || len(f) < 3 || f[1] != suite {
			continue
		}
		tag, _ := strconv.Atoi(f[0])
		k := newSDES(t, tag, suite)
		inline, _, _ := strings.Cut(strings.TrimPrefix(f[2], "inline:"), "|")
		secret, err := base64.StdEncoding.DecodeString(inline)
		if err != nil || len(secret) != len(k.key)+len(k.salt) {
			t.Fatalf("key of %s: %v", a, err)
		}
		k.key, k.salt = secret[:len(k.key)], secret[len(k.key):]
		return k
	}
	t.Fatalf("no %s among %q", suite, m.Attrs)
	return nil
}

// cryptos counts the lines of a section.
func cryptos(m peer.SDPMedia) (n int) {
	for _, a := range m.Attrs {
		if strings.HasPrefix(a, "crypto:") {
			n++
		}
	}
	return n
}

// secured has a party seal with own and open with theirs; what comes and is not sealed so is a mistake.
func (st *stage) secured(m *peer.Media, own, theirs *sdes) {
	open := theirs.open()
	var control atomic.Int32
	m.Protect(own.seal(), func(b []byte) []byte {
		clear := open(b)
		if clear == nil && control.Add(1) < 3 {
			st.t.Errorf("%s cannot open what it got: % x", m.Party, b[:min(len(b), 40)])
		}
		return clear
	})
}

// legsCall makes an answered call between those two, and lets them talk.
func (st *stage) legsCall(left, right ends) (c *call, keys []*sdes) {
	st.t.Helper()
	c = st.newCall(dialing{})
	offer := peer.Line{Media: c.a, Proto: left.proto}
	var a, b *sdes
	if left.suite != "" {
		a = newSDES(st.t, 7, left.suite)
		a.by = left.by
		keys = append(keys, a)
		offer.Proto = or(left.proto, "RTP/SAVP")
		offer.Extra = []string{"crypto:1 F8_128_HMAC_SHA1_80 inline:" + a.secret(), a.attribute()}
	}
	c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: peer.BuildSDP(1, offer)})
	c.in = st.callee.Expect("INVITE")
	asked := peer.ParseSDP(c.in.Body).Media[0]
	if asked.Proto != right.asked || (cryptos(asked) > 0) != (right.suite != "" || right.leave) {
		st.t.Errorf("the callee is offered %s with %d keys, want %s", asked.Proto, cryptos(asked), right.asked)
	}
	answer := peer.Line{Media: c.b, Proto: asked.Proto}
	if right.suite != "" {
		theirs := keyOf(st.t, asked, right.suite)
		b = newSDES(st.t, theirs.tag, right.suite)
		b.by, theirs.by = right.by, right.by
		keys = append(keys, b, theirs)
		answer.Extra = []string{b.attribute()}
		st.secured(c.b, b, theirs)
	}
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, answer)))
	c.accepted(dialing{quiet: true})
	told := peer.ParseSDP(c.ok.Body).Media[0]
	if told.Proto != or(offer.Proto, "RTP/AVP") || (cryptos(told) == 1) != (a != nil) || cryptos(told) > 1 {
		st.t.Errorf("the caller offered %s and is answered %s with %d keys", offer.Proto, told.Proto, cryptos(told))
	}
	if a != nil {
		theirs := keyOf(st.t, told, left.suite)
		theirs.by = left.by
		if theirs.tag != 7 {
			st.t.Errorf("answered with tag %d", theirs.tag)
		}
		keys = append(keys, theirs)
		st.secured(c.a, a, theirs)
	}
	for i, text := range []string{string(c.in.Body), string(c.ok.Body)} {
		for _, k := range []*sdes{a, b} {
			if k != nil && !right.passes && strings.Contains(text, k.secret()) {
				st.t.Errorf("description %d shows the other party's key", i)
			}
		}
	}
	if !left.quiet {
		c.talk()
	}
	return c, keys
}

func route(caller, callee string) string {
	return fmt.Sprintf("srtp: {caller: %s, callee: %s, suites: [AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80]}", caller, callee)
}

// Whatever the sides speak, each hears the other bit for bit, the SRS hears both, and no key is where it should not be.
func TestSRTPEndsOnEachLeg(t *testing.T) {
	for i, c := range []struct {
		name, route string
		left, right ends
	}{
		{"plain to SRTP", route("off", "required"), ends{}, ends{suite: cm80, asked: "RTP/SAVP"}},
		{"SRTP to plain", route("required", "off"), ends{suite: gcm256}, ends{asked: "RTP/AVP"}},
		{"SRTP to SRTP", route("required", "required"), ends{suite: cm80}, ends{suite: gcm256, asked: "RTP/SAVP"}},
		{"with feedback", route("required", "required"), ends{suite: cm80, proto: "RTP/SAVPF"}, ends{suite: cm80, asked: "RTP/SAVP"}},
		{"best effort taken", route("optional", "optional"), ends{suite: cm80, proto: "RTP/AVP"}, ends{suite: gcm256, asked: "RTP/AVP"}},
		{"best effort left", route("optional", "optional"), ends{}, ends{leave: true, asked: "RTP/AVP"}},
		{"SRTP to best effort left", route("optional", "optional"), ends{suite: cm80}, ends{leave: true, asked: "RTP/AVP"}},
		{"plain to best effort taken", route("optional", "optional"), ends{}, ends{suite: cm80, asked: "RTP/AVP"}},
		{"feedback made plain", route("optional", "off"), ends{suite: gcm256, proto: "RTP/SAVPF"}, ends{asked: "RTP/AVP"}},
	} {
		identity := []string{"preserve", "rewrite"}[i%2]
		t.Run(c.name+" "+identity, func(t *testing.T) {
			st := newStage(t, setup{route: c.route, identity: identity, recorder: "    plain_copy: true"})
			call, keys := st.legsCall(c.left, c.right)
			rs := st.srs().Accept()
			call.recorded(rs, 20)
			call.heard(20)
			call.quiet()
			for label, from := range map[string]*peer.Media{"1": call.a, "2": call.b} {
				gapless(t, rs.Streams[label], rs.Streams[label].Packets()[0].Number, from.Sent())
			}
			call.hangUp()
			rs.End()
			call.judge(rs)
			st.hides(keys...)
		})
	}
}

// A call of which one leg is encrypted is not copied in clear unless a rule says so, and can be under other keys.
func TestEndedSRTPTowardsTheSRS(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		st := newStage(t, setup{route: route("off", "required")})
		c, _ := st.legsCall(ends{}, ends{suite: cm80, asked: "RTP/SAVP"})
		c.heard(10)
		c.quiet()
		if r := st.result("refused"); !strings.Contains(r.str("reason"), "plain_copy") {
			t.Errorf("recording %v", r)
		}
		c.hangUp()
	})
	t.Run("encrypted", func(t *testing.T) {
		st := newStage(t, setup{route: route("off", "required"), recorder: "    srtp: required\n    srtp_over_plain: true"})
		takesSRTP(t, st.srs(), cm80)
		c, _ := st.legsCall(ends{}, ends{suite: gcm256, asked: "RTP/SAVP"})
		rs := st.srs().Accept()
		c.recorded(rs, 20)
		c.heard(10)
		c.quiet()
		c.hangUp()
		rs.End()
		c.judge(rs)
	})
}

// Hold, resume and a session refresh keep the keys; a new key in a re-INVITE is used at once, nothing is lost.
func TestEndedSRTPIsRekeyed(t *testing.T) {
	st := newStage(t, setup{route: route("required", "required"), recorder: "    plain_copy: true\n    dtmf: pass", rule: "on_hold: ignore"})
	c, keys := st.legsCall(ends{suite: cm80}, ends{suite: gcm256, asked: "RTP/SAVP"})
	a, b := keys[0], keys[1]
	rs := st.srs().Accept()
	c.recorded(rs, 20)
	c.heard(20)
	again := func(key *sdes, direction string) {
		t.Helper()
		c.sdpVersion++
		out := c.left.Send("INVITE", peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{
			Media: c.a, Proto: "RTP/SAVP", Extra: []string{key.attribute()}, Direction: direction,
		})))
		in := c.right.Expect("INVITE")
		offered := peer.ParseSDP(in.Body).Media[0]
		if theirs := keyOf(t, offered, gcm256); !bytes.Equal(theirs.key, keys[2].key) {
			t.Error("our key towards the callee has changed")
		}
		in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: c.b, Proto: "RTP/SAVP", Extra: []string{b.attribute()}})))
		ok := out.Expect(200)
		c.left.Ack(ok)
		c.right.Expect("ACK")
		if theirs := keyOf(t, peer.ParseSDP(ok.Body).Media[0], cm80); !bytes.Equal(theirs.key, keys[3].key) || theirs.tag != key.tag {
			t.Error("our key towards the caller has changed, or its tag is wrong")
		}
	}
	again(a, "sendrecv") // nothing new, while both talk
	c.heard(20)
	c.quiet()
	next := newSDES(t, 3, cm80)
	again(next, "sendrecv")
	c.a.Protect(next.seal(), nil)
	c.a.Talk(c.aTo.rtp)
	c.b.Talk(c.bTo.rtp)
	c.heard(20)
	c.recorded(rs, 20)
	c.quiet()
	for label, from := range map[string]*peer.Media{"1": c.a, "2": c.b} {
		gapless(t, rs.Streams[label], rs.Streams[label].Packets()[0].Number, from.Sent())
	}
	c.hangUp()
	rs.End()
	c.judge(rs)
	st.hides(append(keys, next)...)
}

// The caller offers nothing: the callee's offer and the caller's answer are held to the rule.
func TestEndedSRTPWithADelayedOffer(t *testing.T) {
	for _, fits := range []bool{true, false} {
		t.Run(fmt.Sprintf("answer fits %v", fits), func(t *testing.T) {
			st := newStage(t, setup{route: route("required", "off"), srs: -1, noPolicy: true})
			c := st.newCall(dialing{})
			c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">"})
			c.in = st.callee.Expect("INVITE")
			c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
			ok := c.out.Expect(200)
			c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
			asked := peer.ParseSDP(ok.Body).Media[0]
			if asked.Proto != "RTP/SAVP" {
				t.Errorf("the caller is offered %s", asked.Proto)
			}
			theirs := keyOf(t, asked, cm80)
			own := newSDES(t, theirs.tag, cm80)
			line := peer.Line{Media: c.a, Proto: "RTP/SAVP", Extra: []string{own.attribute()}}
			if !fits {
				line = peer.Line{Media: c.a}
			}
			c.left.Ack(ok, peer.WithSDP(peer.BuildSDP(1, line)))
			ack := c.right.Expect("ACK")
			answered := peer.ParseSDP(ack.Body).Media[0]
			if answered.Proto != "RTP/AVP" || cryptos(answered) > 0 {
				t.Errorf("the callee is answered %s with %d keys", answered.Proto, cryptos(answered))
			}
			c.aTo, c.bTo = firstMedia(t, ok), firstMedia(t, ack.Message)
			if !fits {
				c.left.AnswerBye()
				c.right.AnswerBye()
				return
			}
			st.secured(c.a, own, theirs)
			c.talk()
			c.heard(10)
			c.quiet()
			c.hangUp()
		})
	}
}

// Early media of two forks, each with a key of its own, and the answer of one of them.
func TestEndedSRTPOfForks(t *testing.T) {
	st := newStage(t, setup{route: route("off", "required"), srs: -1, noPolicy: true})
	c := st.invite(dialing{})
	asked := peer.ParseSDP(c.in.Body).Media[0]
	first := peer.NewMedia(t, calleeIP, c.a.Call, "first")
	for i, m := range []*peer.Media{first, c.b} {
		theirs := keyOf(t, asked, []string{cm80, gcm256}[i])
		own := newSDES(t, theirs.tag, theirs.suite)
		st.secured(m, own, theirs)
		tag := peer.Tag(fmt.Sprintf("fork-%d", i))
		line := peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: m, Proto: "RTP/SAVP", Extra: []string{own.attribute()}}))
		c.in.Reply(183, tag, line)
		progress := c.out.Expect(183)
		for !strings.Contains(progress.Get("To"), fmt.Sprintf("fork-%d", i)) { // the first one, repeated for a repeated INVITE
			progress = c.out.Expect(183)
		}
		if told := peer.ParseSDP(progress.Body).Media[0]; told.Proto != "RTP/AVP" || cryptos(told) > 0 {
			t.Errorf("the caller is shown %s with %d keys", told.Proto, cryptos(told))
		}
		c.aTo, c.bTo = firstMedia(t, progress), firstMedia(t, c.in.Message)
		m.Talk(c.bTo.rtp)
		c.a.AwaitFrom(m.Party, 0, 10)
		c.a.Talk(c.aTo.rtp)
		m.AwaitFrom("alice", 0, 10)
		c.a.Quiet()
		m.Quiet()
		if i == 1 {
			c.in.Tag = "fork-1"
			c.in.Reply(200, line)
		}
	}
	c.accepted(dialing{})
	c.heard(10)
	c.a.Quiet()
	c.b.Quiet()
	c.hangUp()
}

// A packet played again and a forged one go nowhere, and are counted.
func TestEndedSRTPDropsReplays(t *testing.T) {
	st := newStage(t, setup{route: route("required", "off"), srs: -1, noPolicy: true})
	c, keys := st.legsCall(ends{suite: cm80}, ends{asked: "RTP/AVP"})
	c.heard(10)
	c.quiet()
	again := keys[0].seal()(c.a.SentPackets()[0].Raw)
	forged := bytes.Clone(again)
	forged[len(forged)-1] ^= 1
	before := len(c.b.Packets())
	c.a.SendRaw(c.aTo.rtp, again)
	c.a.SendRaw(c.aTo.rtp, forged)
	for reason := range map[string]bool{"srtp-replay": true, "srtp-auth": true} {
		if !peer.Eventually(func() bool {
			return st.sys.sum("sidetrack_rtp_dropped_packets_total", `direction="caller"`, `reason="`+reason+`"`) == 1
		}) {
			t.Errorf("%s is not counted", reason)
		}
	}
	if n := len(c.b.Packets()); n != before {
		t.Errorf("%d more packets have arrived", n-before)
	}
	c.hangUp()
}

// Reports cross as well, each side's under its own keys.
func TestEndedSRTCP(t *testing.T) {
	st := newStage(t, setup{route: route("required", "off"), srs: -1, noPolicy: true})
	c, keys := st.legsCall(ends{suite: gcm256}, ends{asked: "RTP/AVP"})
	c.heard(5)
	c.quiet()
	report := []byte{0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 3, 0, 0, 0, 7, 1, 4, 'n', 'a', 'm', 'e', 0, 0}
	sealed, err := keys[0].context().EncryptRTCP(nil, report, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.a.SendRTCP(c.aTo.rtcp, report) // in clear: not believed
	c.a.SendRTCP(c.aTo.rtcp, sealed)
	c.b.AwaitRTCP("the caller's report", func(b []byte) bool { return bytes.Equal(b, report) })
	c.b.SendRTCP(c.bTo.rtcp, report)
	open := keys[1].context()
	c.a.AwaitRTCP("the callee's report", func(b []byte) bool {
		clear, err := open.DecryptRTCP(nil, bytes.Clone(b), nil)
		return err == nil && bytes.Equal(clear, report) && !bytes.Contains(b, []byte("name"))
	})
	if n := len(c.b.RTCP()); n != 1 {
		t.Errorf("the callee got %d reports", n)
	}
	c.hangUp()
}
