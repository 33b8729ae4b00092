package b2bua_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/tests/peer"
)

// gateStage is a stage on which the PBX is trusted, and the caller has to sign in as alice.
func gateStage(t *testing.T, proxy bool, secret string) *stage {
	return gateStageFor(t, setup{}, proxy, secret)
}

func gateStageFor(t *testing.T, with setup, proxy bool, secret string) *stage {
	users := map[string]digest.Keys{"alice": {
		digest.SHA256: digest.HA1(digest.SHA256, "alice", "gate.test", secret), digest.MD5: digest.HA1(digest.MD5, "alice", "gate.test", secret),
	}}
	with.auth = &b2bua.Auth{Proxy: proxy, Gate: digest.NewGate("gate.test", []digest.Algorithm{digest.SHA256, digest.MD5}, users)}
	with.trusted, with.pbxAt = []netip.Prefix{netip.MustParsePrefix("127.0.0.99/32")}, "127.0.0.99"
	return newStage(t, with)
}

// signed answers a challenge by the client that trunks and recorders know.
func signed(t *testing.T, refused *peer.Message, method, uri, password string) peer.Opt {
	t.Helper()
	resp := &sip.Message{Status: refused.Status()}
	for _, field := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		for _, v := range refused.All(field) {
			resp.Add(field, v)
		}
	}
	c, ok := digest.Of(resp)
	if !ok {
		t.Fatalf("no challenge that can be answered in\n%s", refused.Raw)
	}
	req := sip.NewRequest(method, uri)
	c.Sign(req, digest.Credentials{User: "alice", Password: password})
	return peer.With(c.Field(), req.Get(c.Field()))
}

// A stranger signs in to call and to register; the PBX calls without. What he has shown to us goes no further, what he
// shows to the PBX does; requests within the call need nothing.
func TestStrangersSignIn(t *testing.T) {
	for status, field := range map[int]string{401: "Authorization", 407: "Proxy-Authorization"} {
		s := gateStage(t, status == 407, "s3cret")
		c := s.send()
		refused := c.out.Expect(status)
		if n := len(refused.All("WWW-Authenticate")) + len(refused.All("Proxy-Authenticate")); n != 2 || refused.ToTag() == "" {
			t.Errorf("%d challenges in\n%s", n, refused.Raw)
		}
		pbx := `Digest username="alice", realm="pbx.test", nonce="n", uri="x", response="y"`
		c = s.invite(signed(t, refused, "INVITE", bob, "s3cret"), peer.Adding("Authorization", pbx))
		for _, f := range []string{"Authorization", "Proxy-Authorization"} {
			for _, v := range c.in.All(f) {
				if strings.Contains(v, "gate.test") {
					t.Errorf("the PBX is shown %s: %s", f, v)
				}
			}
		}
		if c.in.Get("Authorization") != pbx {
			t.Errorf("the PBX got Authorization %q", c.in.Get("Authorization"))
		}
		c.answer()
		info := c.left.Send("INFO", signed(t, refused, "INFO", bob, "s3cret"))
		in := c.right.Expect("INFO")
		if in.Get(field) != "" {
			t.Errorf("the PBX is shown %s: %s", field, in.Get(field))
		}
		in.Reply(200)
		info.Expect(200)
		c.hangUp()

		register := func(opts ...peer.Opt) *peer.Outgoing {
			return s.caller.Start("REGISTER", s.proxy, peer.Call{URI: "sip:pbx.test", From: "<" + alice + ">", Opts: append(opts, peer.With("To", "<"+alice+">"))})
		}
		shown := signed(t, register().Expect(status), "REGISTER", "sip:pbx.test", "s3cret")
		out := register(shown)
		reg := s.pbx.Expect("REGISTER")
		contact := reg.Get("Contact")
		reg.Reply(200, peer.With("Contact", contact), peer.With("Expires", "600"))
		out.Expect(200)
		overheard := register(shown).Expect(status)
		if !strings.Contains(overheard.Get("WWW-Authenticate")+overheard.Get("Proxy-Authenticate"), "stale=true") {
			t.Errorf("credentials that were used before:\n%s", overheard.Raw)
		}
		back := s.pbx.Invite(s.proxy, peer.Call{URI: peer.URIOf(contact)})
		ringing := s.caller.Expect("INVITE")
		ringing.Reply(486)
		ringing.ExpectOther("ACK")
		back.Expect(486)
		s.quiet()
	}
}

// Who has a password may say who he is, not who somebody else has found him to be: an identity that he asserts goes no
// further, in whatever request. The PBX, whom we know, may assert one; and where everybody is believed it passes.
func TestAStrangerAssertsNothing(t *testing.T) {
	for _, field := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
		t.Run(field, func(t *testing.T) { assertsNothing(t, field) })
	}
}

func assertsNothing(t *testing.T, field string) {
	boss, preferred := peer.With(field, "<sip:boss@pbx.test>"), peer.With("P-Preferred-Identity", "<sip:desk@pbx.test>")
	for source, want := range map[b2bua.IdentitySource]string{b2bua.AssertedTrusted: "", b2bua.AssertedNever: "", b2bua.AssertedAlways: "<sip:boss@pbx.test>"} {
		s := gateStageFor(t, setup{asserted: source}, false, "s3cret")
		refused := s.send().out.Expect(401)
		c := s.invite(signed(t, refused, "INVITE", bob, "s3cret"), boss, preferred)
		if got := c.in.Get(field); got != want || c.in.Get("P-Preferred-Identity") == "" {
			t.Errorf("%s: the PBX got\n%s", source, c.in.Raw)
		}
		c.answer()
		info := c.left.Send("INFO", boss)
		in := c.right.Expect("INFO")
		if got := in.Get(field); got != want {
			t.Errorf("%s: within the call the PBX got %s", source, got)
		}
		in.Reply(200)
		info.Expect(200)
		back := c.right.Send("INFO", boss)
		in = c.left.Expect("INFO")
		if in.Get(field) != "<sip:boss@pbx.test>" {
			t.Errorf("%s: what the PBX asserts is gone", source)
		}
		in.Reply(200)
		back.Expect(200)
		c.hangUp()

		message := func(opts ...peer.Opt) *peer.Outgoing {
			return s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob, Opts: append(opts, boss)})
		}
		out := message(signed(t, message().Expect(401), "MESSAGE", bob, "s3cret"))
		in = s.pbx.Expect("MESSAGE")
		if got := in.Get(field); got != want {
			t.Errorf("%s: in a MESSAGE the PBX got %s", source, got)
		}
		in.Reply(200)
		out.Expect(200)
		s.quiet()
	}
}

// Nor do his responses: to a call, to requests within it, to those that are none, and in a CANCEL of his. Who is asked
// is the same phone, reached by its registration.
func TestAStrangersAnswersAssertNothing(t *testing.T) {
	for _, field := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
		t.Run(field, func(t *testing.T) { answersAssertNothing(t, field) })
	}
}

func answersAssertNothing(t *testing.T, field string) {
	boss := peer.With(field, "<sip:boss@pbx.test>")
	for source, want := range map[b2bua.IdentitySource]string{b2bua.AssertedTrusted: "", b2bua.AssertedAlways: "<sip:boss@pbx.test>"} {
		s := gateStageFor(t, setup{asserted: source}, false, "s3cret")
		told := func(m *peer.Message) {
			t.Helper()
			if got := m.Get(field); got != want {
				t.Errorf("%s: the PBX got %q in\n%s", source, got, m.Raw)
			}
		}
		p := &phone{stage: s, network: "udp"}
		register := peer.Call{URI: "sip:pbx.test", From: "<" + alice + ">", Opts: []peer.Opt{peer.With("To", "<"+alice+">"), peer.With("Expires", "600")}}
		refused := s.caller.Start("REGISTER", s.proxy, register).Expect(401)
		p.again(signed(t, refused, "REGISTER", "sip:pbx.test", "s3cret"))
		p.grant("600")

		c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
		with := p.reach()
		with.SDP = c.sdpA(1)
		c.out = s.pbx.Invite(s.proxy, with)
		c.in = s.caller.Expect("INVITE")
		c.in.Reply(180, boss)
		told(c.out.Expect(180))
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)), boss)
		ok := c.out.Expect(200)
		told(ok)
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		c.left.Ack(ok)
		c.right.Expect("ACK")
		info := c.left.Send("INFO")
		c.right.Expect("INFO").Reply(200, boss)
		told(info.Expect(200))
		c.hangUp()
		message := s.pbx.Start("MESSAGE", s.proxy, p.reach())
		s.caller.Expect("MESSAGE").Reply(200, boss)
		told(message.Expect(200))

		c = s.send()
		again := c.out.Expect(401)
		c = s.invite(signed(t, again, "INVITE", bob, "s3cret"))
		c.in.Reply(180)
		c.out.Expect(180)
		cancel := c.out.Cancel(boss)
		told(c.in.ExpectOther("CANCEL").Message)
		cancel.Expect(200)
		c.in.Reply(487)
		c.in.ExpectOther("ACK")
		c.out.Expect(487)
		s.quiet()
	}
}

// A nonce that is not ours is called stale; a wrong password is challenged again a few times, then there is silence, for
// right ones from there as well, for a while. No answer is repeated.
func TestPasswordsAreNotTriedForLong(t *testing.T) {
	s := gateStage(t, false, "s3cret")
	first := s.send().out.Expect(401)
	stale := peer.With("Authorization", `Digest username="alice", realm="gate.test", nonce="old", uri="`+bob+`", response="00", algorithm=MD5`)
	if m := s.send(stale).out.Expect(401); !strings.Contains(m.Get("WWW-Authenticate"), "stale=true") {
		t.Errorf("%s", m.Raw)
	}
	silent := 0
	for range 10 {
		out := s.send(signed(t, first, "INVITE", bob, "guess")).out
		if m := out.Next(300 * time.Millisecond); m == nil {
			silent++
		} else if m.Status() != 401 || strings.Contains(m.Get("WWW-Authenticate"), "stale") {
			t.Errorf("%s", m.Raw)
		}
	}
	if silent < 5 {
		t.Errorf("%d of 10 guesses were not answered", silent)
	}
}
