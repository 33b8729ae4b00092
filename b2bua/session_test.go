package b2bua_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

const manyMethods = "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS"

// timed are the fields of a party that knows session timers.
func timed(fields ...string) []peer.Opt {
	opts := []peer.Opt{peer.With("Supported", "timer"), peer.With("Allow", manyMethods)}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		opts = append(opts, peer.With(name, value))
	}
	return opts
}

// What two parties agree passes, and so do their refreshes.
func TestSessionTimersPass(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite(timed("Session-Expires: 90", "Min-SE: 90")...)
	if c.in.Get("Session-Expires") != "90" || c.in.Get("Min-SE") != "90" || c.in.Get("Supported") != "timer" {
		t.Errorf("INVITE came as\n%s", c.in.Raw)
	}
	c.in.Reply(422, peer.With("Min-SE", "1800"))
	s.pbx.Expect("ACK")
	if got := c.out.Expect(422); got.Get("Min-SE") != "1800" {
		t.Errorf("422 came as\n%s", got.Raw)
	}
	for _, refresher := range []string{"uac", "uas"} {
		c := s.invite(timed("Session-Expires: 1800")...)
		c.in.Reply(200, append(timed("Session-Expires: 1800;refresher="+refresher, "Require: timer"), peer.WithSDP(c.sdpB(1)))...)
		ok := c.out.Expect(200)
		if ok.Get("Session-Expires") != "1800;refresher="+refresher || ok.Get("Require") != "timer" {
			t.Errorf("200 came as\n%s", ok.Raw)
		}
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		c.left.Ack(ok)
		c.right.Expect("ACK")
		here, there := c.left, c.right
		if refresher == "uas" {
			here, there = there, here
		}
		for range 3 {
			out := here.Send("UPDATE", timed("Session-Expires: 1800;refresher=uac")...)
			in := there.Expect("UPDATE")
			in.Reply(200, timed("Session-Expires: 1800;refresher=uac", "Require: timer")...)
			if got := out.Expect(200); got.Get("Session-Expires") != "1800;refresher=uac" {
				t.Errorf("refreshed with\n%s", got.Raw)
			}
		}
		c.hangUp()
		s.quiet()
	}
}

// A trunk that insists on timers (421) gets ours where the caller has none; the caller hears nothing of it. We refresh,
// by what the trunk can, and the call ends when the trunk no longer knows it.
func TestTrunkInsistsOnATimer(t *testing.T) {
	for _, method := range []string{"UPDATE", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			s := newStage(t, setup{})
			c := s.invite()
			c.in.Reply(421, peer.With("Require", "timer"))
			s.pbx.Expect("ACK")
			c.in = s.pbx.Expect("INVITE")
			if c.in.Get("Session-Expires") == "" || c.in.Get("Supported") != "timer" {
				t.Fatalf("second INVITE:\n%s", c.in.Raw)
			}
			c.in.Reply(422, peer.With("Min-SE", "2000"))
			s.pbx.Expect("ACK")
			c.in = s.pbx.Expect("INVITE")
			if c.in.Get("Session-Expires") != "2000" || c.in.Get("Min-SE") != "2000" {
				t.Fatalf("third INVITE:\n%s", c.in.Raw)
			}
			allow := "INVITE, ACK, CANCEL, BYE"
			if method == "UPDATE" {
				allow = manyMethods
			}
			c.in.Reply(200, peer.WithSDP(c.sdpB(1)), peer.With("Allow", allow),
				peer.With("Session-Expires", "90;refresher=uac"), peer.With("Require", "timer"))
			ok := c.out.Expect(200)
			if ok.Get("Session-Expires") != "" || ok.Get("Require") != "" {
				t.Errorf("the caller was told\n%s", ok.Raw)
			}
			c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
			c.left.Ack(ok)
			c.right.Expect("ACK")
			for range 2 {
				in := c.right.Expect(method)
				if in.Get("Session-Expires") != "90;refresher=uac" || in.Get("Contact") == "" {
					t.Errorf("refresh:\n%s", in.Raw)
				}
				if method == "UPDATE" && len(in.Body) > 0 || method == "INVITE" && !bytes.Equal(in.Body, c.in.Body) {
					t.Errorf("refreshed with the body\n%s\nthe INVITE had\n%s", in.Body, c.in.Body)
				}
				opts := []peer.Opt{peer.With("Session-Expires", "90;refresher=uac"), peer.With("Require", "timer")}
				if method == "INVITE" {
					opts = append(opts, peer.WithSDP(c.sdpB(1)))
				}
				in.Reply(200, opts...)
				if method == "INVITE" {
					c.right.Expect("ACK")
				}
			}
			c.right.Expect(method).Reply(481)
			if method == "INVITE" {
				s.pbx.Expect("ACK")
			}
			bye := c.left.AnswerBye()
			if !strings.Contains(bye.Get("Reason"), "cause=408") {
				t.Errorf("Reason %q", bye.Get("Reason"))
			}
			s.quiet()
		})
	}
}

// Each target has its way about the timer, however often others had theirs: in turn, and rung together.
func TestTargetsInsistOnTimers(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		s := oneRoute(t, func(_ *stage, r *policy.Route) { r.Parallel = parallel })
		c := s.send()
		for _, p := range []*peer.Peer{s.pbx, s.second} {
			c.in = p.Expect("INVITE")
			c.in.Reply(421, peer.With("Require", "timer"))
			p.Expect("ACK")
			p.Expect("INVITE").Reply(422, peer.With("Min-SE", "2000"))
			p.Expect("ACK")
			if c.in = p.Expect("INVITE"); c.in.Get("Session-Expires") != "2000" {
				t.Errorf("third INVITE:\n%s", c.in.Raw)
			}
			if p == s.pbx {
				c.in.Reply(503)
				p.Expect("ACK")
			}
		}
		c.answer(peer.With("Session-Expires", "2000;refresher=uac"), peer.With("Require", "timer")).hangUp()
		s.quiet()
	}
}

// A refresher that lets its time pass is asked; when it is gone, the call ends on both sides.
func TestSilentRefresher(t *testing.T) {
	for _, lives := range []bool{true, false} {
		t.Run(fmt.Sprint(lives), func(t *testing.T) {
			s := newStage(t, setup{})
			c := s.invite(timed("Session-Expires: 90")...)
			c.answer(timed("Session-Expires: 90;refresher=uac", "Require: timer")...)
			toA, toB := c.left.Expect("UPDATE"), c.right.Expect("UPDATE")
			toB.Reply(200, timed("Session-Expires: 90;refresher=uac")...)
			if lives {
				toA.Reply(200, timed("Session-Expires: 90;refresher=uac")...)
				c.left.Expect("UPDATE").Reply(200) // and from now on we refresh
				c.right.Expect("UPDATE").Reply(200)
				c.hangUp()
			} else {
				toA.Reply(481)
				c.right.AnswerBye()
			}
			s.quiet()
		})
	}
}

// Where the operator wants a timer on every call, parties that know of none are refreshed by us, and one that asked for
// a timer has one although the other side has none.
func TestTimerOnEveryCall(t *testing.T) {
	t.Run("neither side knows timers", func(t *testing.T) {
		s := newStage(t, setup{session: 90})
		c := s.invite(peer.Without("Allow"))
		if c.in.Get("Session-Expires") != "90" || c.in.Get("Supported") != "timer" {
			t.Errorf("INVITE came as\n%s", c.in.Raw)
		}
		c.answer()
		toA, toB := c.left.Expect("INVITE"), c.right.Expect("INVITE")
		toB.Reply(405, peer.With("Allow", "INVITE, ACK, BYE")) // it refuses, but it lives
		s.pbx.Expect("ACK")
		toA.Reply(200, peer.WithSDP(c.sdpA(1)))
		c.left.Expect("ACK")
		if got := peer.ParseSDP(toA.SDP()).Media[0].Addr(); got != peer.ParseSDP(c.out.Sent.SDP()).Media[0].Addr() && got.Port() == 0 {
			t.Errorf("refreshed with media at %v", got)
		}
		c.hangUp()
		s.quiet()
	})
	for _, tc := range []struct {
		ours             int
		asked, least, is string
	}{
		{90, "200", "90", "90"},
		{300, "200", "90", "200"}, // it is never raised (RFC 4028 §9)
		{90, "200", "120", "120"},
	} {
		s := newStage(t, setup{session: tc.ours})
		c := s.invite(timed("Session-Expires: "+tc.asked, "Min-SE: "+tc.least)...)
		if c.in.Get("Session-Expires") != tc.asked {
			t.Errorf("INVITE came as\n%s", c.in.Raw)
		}
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)), peer.With("Allow", manyMethods))
		ok := c.out.Expect(200)
		if ok.Get("Session-Expires") != tc.is+";refresher=uas" {
			t.Errorf("the caller was told\n%s", ok.Raw)
		}
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		c.left.Ack(ok)
		c.right.Expect("ACK")
		c.left.Expect("UPDATE").Reply(200)
		c.right.Expect("UPDATE").Reply(200)
		c.hangUp()
		s.quiet()
	}
}

// A refresh by UPDATE towards a side without UPDATE is answered by us.
func TestUpdateForWhoHasNone(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite(timed("Session-Expires: 1800")...)
	c.answer(peer.With("Allow", "INVITE, ACK, CANCEL, BYE"))
	got := c.left.Send("UPDATE", timed("Session-Expires: 1800")...).Expect(200)
	if got.Get("Session-Expires") != "1800;refresher=uac" || got.Get("Require") != "timer" || got.Get("Contact") == "" {
		t.Errorf("answered with\n%s", got.Raw)
	}
	s.quiet()
	update := c.left.Send("UPDATE", peer.WithSDP(c.sdpA(2))) // one that offers something is not ours to answer
	c.right.Expect("UPDATE").Reply(405)
	update.Expect(405)
	c.hangUp()
	s.quiet()
}

// A side without UPDATE that counts the time hears of such a refresh by a re-INVITE of ours.
func TestUpdateForWhoCountsTheTime(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite(timed("Session-Expires: 1800")...)
	c.answer(timed("Session-Expires: 1800;refresher=uac", "Require: timer", "Allow: INVITE, ACK, CANCEL, BYE")...)
	for range 2 {
		c.left.Send("UPDATE", timed("Session-Expires: 1800;refresher=uac")...).Expect(200)
		in := c.right.Expect("INVITE")
		if in.Get("Session-Expires") != "1800;refresher=uac" || !bytes.Equal(in.Body, c.in.Body) {
			t.Errorf("refreshed by\n%s", in.Raw)
		}
		in.Reply(200, timed("Session-Expires: 1800;refresher=uac", "Require: timer", "Allow: INVITE, ACK, CANCEL, BYE")...)
		c.right.Expect("ACK")
	}
	c.hangUp()
	s.quiet()
}

// Our own re-INVITE meets the parties' ones: theirs get 491, and a 491 to ours has it sent again.
func TestRefreshGlare(t *testing.T) {
	s := newStage(t, setup{session: 90})
	c := s.invite(peer.With("Allow", "INVITE, ACK, CANCEL, BYE"))
	c.answer(peer.With("Allow", "INVITE, ACK, CANCEL, BYE"))
	toA, toB := c.left.Expect("INVITE"), c.right.Expect("INVITE")
	c.right.Send("INVITE", peer.WithSDP(c.sdpB(2))).Expect(491)
	c.left.Send("INVITE", peer.WithSDP(c.sdpA(2))).Expect(491)
	c.left.Send("UPDATE", peer.WithSDP(c.sdpA(2))).Expect(491)
	toB.Reply(491)
	s.pbx.Expect("ACK")
	toA.Reply(200, peer.WithSDP(c.sdpA(1)))
	c.left.Expect("ACK")
	c.right.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpB(1)))
	c.right.Expect("ACK")
	out := c.right.Send("INVITE", peer.WithSDP(c.sdpB(2))) // and now it passes
	c.left.Expect("INVITE").Reply(200, peer.WithSDP(c.sdpA(2)))
	c.right.Ack(out.Expect(200))
	c.left.Expect("ACK")
	c.hangUp()
	s.quiet()
}

// A call that ends while a refresh is under way leaves nothing.
func TestByeDuringARefresh(t *testing.T) {
	s := newStage(t, setup{session: 90})
	c := s.establish()
	toA, toB := c.left.Expect("UPDATE"), c.right.Expect("INVITE")
	bye := c.left.Send("BYE")
	c.right.AnswerBye()
	bye.Expect(200)
	toA.Reply(481)
	toB.Reply(200, peer.WithSDP(c.sdpB(1))) // it crossed our BYE
	c.right.Expect("ACK")
	s.quiet()
}

// An interval that no RFC allows passes as it is, and is kept, but does not have us refresh twice a second.
func TestShortestSession(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite(timed("Session-Expires: 90")...)
	last := time.Now()
	c.in.Reply(200, append(timed("Session-Expires: 1;refresher=uac", "Require: timer"), peer.WithSDP(c.sdpB(1)))...)
	ok := c.out.Expect(200)
	if ok.Get("Session-Expires") != "1;refresher=uac" {
		t.Errorf("200 came as\n%s", ok.Raw)
	}
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	for range 3 {
		toA, toB := c.left.Expect("UPDATE"), c.right.Expect("UPDATE")
		if d := toA.At.Sub(last); d < 9*time.Millisecond { // a second
			t.Errorf("refreshed after %v", d)
		}
		last = toA.At
		toA.Reply(200, timed("Session-Expires: 1;refresher=uac")...)
		toB.Reply(200, timed("Session-Expires: 1;refresher=uac")...)
	}
	c.hangUp()
	s.quiet()
}
