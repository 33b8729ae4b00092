package scenario_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

const (
	carolAOR = "sip:carol@pbx.test"

	aliceSession = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	bobSession   = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
	carolSession = "c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2"
	noSession    = "00000000000000000000000000000000"
)

func session(local, remote string) peer.Opt { return peer.With("Session-ID", local+";remote="+remote) }

func asserted(value string) peer.Opt { return peer.With("P-Asserted-Identity", value) }

// FLOW-01 to FLOW-03, FLOW-08: a call is held, resumed and ended.
func TestChronicleOfAHold(t *testing.T) {
	st := newStage(t, setup{})
	ch := newChronicle(st)
	c := st.establish(dialing{quiet: true, from: `"Alice A." <sip:alice@caller.test>`,
		opts: []peer.Opt{session(aliceSession, noSession)}, answer: []peer.Opt{session(bobSession, aliceSession)}})
	rs := st.srs().Accept()
	ch.note("start", rs.Doc().Raw)
	ch.chapter()
	c.apply(change{method: "INVITE", fromCallee: true, offer: peer.Line{Direction: "sendonly"}, answer: peer.Line{Direction: "recvonly"}})
	rs.Update()
	ch.note("held-by-bob", rs.Doc().Raw)
	ch.chapter()
	c.apply(change{method: "INVITE", fromCallee: true})
	rs.Update()
	ch.note("resumed", rs.Doc().Raw)
	ch.chapter()
	c.hangUp()
	ch.last("end", rs.End())
	ch.call("call-1", c)
	ch.compare("hold")
}

// FLOW-04: the PBX connects Alice with Carol within the same dialog, as most do, and says so by P-Asserted-Identity.
func TestChronicleOfATransferByThePBX(t *testing.T) {
	st := newStage(t, setup{})
	ch := newChronicle(st)
	c := st.establish(dialing{quiet: true,
		opts: []peer.Opt{session(aliceSession, noSession)}, answer: []peer.Opt{session(bobSession, aliceSession), asserted(`"Bob" <sip:bob@pbx.test>`)}})
	rs := st.srs().Accept()
	ch.note("start", rs.Doc().Raw)
	ch.chapter()
	c.reinvite(true, asserted(`"Carol" <sip:carol@pbx.test>`), session(carolSession, aliceSession))
	rs.Update()
	ch.note("carol-in-the-place-of-bob", rs.Doc().Raw)
	ch.chapter()
	c.hangUp()
	ch.last("end", rs.End())
	ch.call("call-1", c)
	ch.compare("transfer-by-pbx")
}

// reinvite has one party send a re-INVITE with the same media and these headers.
func (c *call) reinvite(fromCallee bool, opts ...peer.Opt) {
	c.st.t.Helper()
	here, there, near, far := c.left, c.right, c.a, c.b
	if fromCallee {
		here, there, near, far = c.right, c.left, c.b, c.a
	}
	c.sdpVersion++
	out := here.Send("INVITE", append([]peer.Opt{peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: near}))}, opts...)...)
	in := there.Expect("INVITE")
	in.Reply(200, peer.WithSDP(peer.BuildSDP(c.sdpVersion, peer.Line{Media: far})))
	here.Ack(out.Expect(200))
	there.Expect("ACK")
}

// FLOW-06, FLOW-07: Bob refers Alice to Carol. Alice's call to her is another session in the same group, Alice the same
// participant in both.
func TestChronicleOfABlindTransfer(t *testing.T) {
	st := newStage(t, setup{})
	ch := newChronicle(st)
	first := st.establish(dialing{quiet: true})
	rs1 := st.srs().Accept()
	ch.note("call-1-start", rs1.Doc().Raw)

	ch.chapter()
	first.refer("<"+carolAOR+">", "<"+bobAOR+">")
	rs1.Update()
	ch.note("call-1-referred", rs1.Doc().Raw)

	ch.chapter()
	second := st.establish(dialing{quiet: true, uri: carolAOR, opts: []peer.Opt{peer.With("Referred-By", "<"+bobAOR+">")}})
	rs2 := st.srs().Accept()
	ch.note("call-2-start", rs2.Doc().Raw)
	first.notify("SIP/2.0 200 OK")

	ch.chapter()
	bye := first.right.Send("BYE")
	first.left.AnswerBye()
	bye.Expect(200)
	ch.last("call-1-end", rs1.End())

	ch.chapter()
	second.hangUp()
	ch.last("call-2-end", rs2.End())
	if g1, g2 := rs1.Doc().Sessions[0].GroupRef, rs2.Doc().Sessions[0].GroupRef; g1 == "" || g1 != g2 {
		t.Errorf("groups %q and %q", g1, g2)
	}
	ch.call("call-1", first)
	ch.call("call-2", second)
	ch.compare("blind-transfer")
}

// refer has the callee refer the caller, who accepts.
func (c *call) refer(to, by string) *peer.Incoming {
	c.st.t.Helper()
	out := c.right.Send("REFER", peer.With("Refer-To", to), peer.With("Referred-By", by), peer.With("Contact", c.st.callee.Contact("udp")))
	in := c.left.Expect("REFER")
	if in.Get("Referred-By") != by {
		c.st.t.Errorf("Referred-By %q arrived as %q", by, in.Get("Referred-By"))
	}
	in.Reply(202)
	out.Expect(202)
	c.notify("SIP/2.0 100 Trying")
	return in
}

// notify has the caller tell how the referred call goes.
func (c *call) notify(fragment string) {
	c.st.t.Helper()
	out := c.left.Send("NOTIFY", peer.With("Event", "refer"), peer.With("Subscription-State", "active"),
		peer.With("Contact", c.st.caller.Contact("udp")), peer.WithBody("message/sipfrag;version=2.0", []byte(fragment)))
	c.right.Expect("NOTIFY").Reply(200)
	out.Expect(200)
}

// Bob asks Carol first, in a call that is recorded too, then refers Alice to her with Replaces (RFC 5589 §7.3): three
// sessions, one group. In both modes of identity, for in rewrite mode Replaces is translated.
func TestChronicleOfAnAttendedTransfer(t *testing.T) {
	for _, identity := range []string{"preserve", "rewrite"} {
		t.Run(identity, func(t *testing.T) {
			st := newStage(t, setup{identity: identity})
			ch := newChronicle(st)
			first := st.establish(dialing{quiet: true})
			rs1 := st.srs().Accept()
			ch.note("call-1-start", rs1.Doc().Raw)

			ch.chapter()
			first.apply(change{method: "INVITE", fromCallee: true, offer: peer.Line{Direction: "sendonly"}, answer: peer.Line{Direction: "recvonly"}})
			rs1.Update()
			ch.note("call-1-held-by-bob", rs1.Doc().Raw)

			ch.chapter()
			asking := st.consult(bobAOR, carolAOR)
			rs2 := st.srs().Accept()
			ch.note("call-2-consultation", rs2.Doc().Raw)

			ch.chapter()
			known := fmt.Sprintf("%s;to-tag=%s;from-tag=%s", asking.left.CallID,
				peer.Param(asking.left.Remote, "tag"), peer.Param(asking.left.Local, "tag"))
			referred := first.refer("<"+carolAOR+"?Replaces="+url.QueryEscape(known)+">", "<"+bobAOR+">")
			_, escaped, _ := strings.Cut(peer.URIOf(referred.Get("Refer-To")), "?Replaces=")
			replaces, err := url.QueryUnescape(escaped)
			if err != nil || replaces == "" {
				t.Fatalf("Refer-To came as %q", referred.Get("Refer-To"))
			}
			rs1.Update()
			ch.note("call-1-referred", rs1.Doc().Raw)
			rs2.Update()
			ch.note("call-2-referred", rs2.Doc().Raw)

			ch.chapter()
			third := st.establish(dialing{quiet: true, uri: carolAOR,
				opts: []peer.Opt{peer.With("Replaces", replaces), peer.With("Referred-By", "<"+bobAOR+">")}})
			rs3 := st.srs().Accept()
			ch.note("call-3-start", rs3.Doc().Raw)
			first.notify("SIP/2.0 200 OK")

			ch.chapter()
			bye := asking.right.Send("BYE")
			asking.left.AnswerBye()
			bye.Expect(200)
			ch.last("call-2-end", rs2.End())
			bye = first.right.Send("BYE")
			first.left.AnswerBye()
			bye.Expect(200)
			ch.last("call-1-end", rs1.End())
			third.hangUp()
			ch.last("call-3-end", rs3.End())
			for i, c := range []*call{first, asking, third} {
				ch.call(fmt.Sprintf("call-%d", i+1), c)
			}
			ch.compare("attended-transfer")
		})
	}
}

// consult has one phone behind the PBX call another one behind it, through us.
func (st *stage) consult(from, to string) *call {
	st.t.Helper()
	c := st.newCall(dialing{})
	c.a, c.b = peer.NewMedia(st.t, calleeIP, "consult", "bob"), peer.NewMedia(st.t, calleeIP, "consult", "carol")
	c.out = st.callee.Invite(st.sys.SIP, peer.Call{URI: to, From: "<" + from + ">", SDP: peer.BuildSDP(1, peer.Line{Media: c.a})})
	c.in = st.callee.Expect("INVITE")
	c.answer(dialing{quiet: true})
	return c
}

// Carol takes over the call that rings at Bob: her INVITE to Alice names its dialog (RFC 3891, RFC 5359 §2.16).
func TestChronicleOfAPickup(t *testing.T) {
	st := newStage(t, setup{to: "request-uri", rule: "start: early"})
	ch := newChronicle(st)
	first := st.invite(dialing{quiet: true, uri: "sip:bob@" + st.callee.Addr().String()})
	first.in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: first.b})))
	ringing := first.out.Expect(183)
	rs1 := st.srs().Accept()
	ch.note("call-1-rings-at-bob", rs1.Doc().Raw)

	ch.chapter()
	second := st.newCall(dialing{})
	tags := fmt.Sprintf("%s;to-tag=%s;from-tag=%s;early-only", first.out.Sent.CallID(), first.out.Sent.FromTag(), ringing.ToTag())
	second.out = st.callee.Invite(st.sys.SIP, peer.Call{URI: "sip:alice@" + st.caller.Addr().String(), From: "<" + carolAOR + ">",
		SDP: peer.BuildSDP(1, peer.Line{Media: second.b}), Opts: []peer.Opt{peer.With("Replaces", tags), peer.With("Require", "replaces")}})
	second.in = st.caller.Expect("INVITE")
	rs1.Update()
	ch.note("call-1-picked-up", rs1.Doc().Raw)
	second.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: second.a})))
	ok := second.out.Expect(200)
	second.left, second.right = second.out.Dialog(ok), second.in.Dialog()
	second.left.Ack(ok)
	second.right.Expect("ACK")
	rs2 := st.srs().Accept()
	ch.note("call-2-start", rs2.Doc().Raw)

	ch.chapter()
	cancel := first.out.Cancel()
	cancel.Expect(200)
	first.in.ExpectOther("CANCEL").Reply(200)
	first.in.Reply(487)
	first.in.ExpectOther("ACK")
	first.out.Expect(487)
	ch.last("call-1-end", rs1.End())

	ch.chapter()
	second.hangUp()
	ch.last("call-2-end", rs2.End())
	ch.call("call-1", first)
	ch.call("call-2", second)
	ch.compare("pickup")
}
