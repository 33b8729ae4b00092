package b2bua_test

import (
	"strconv"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

func portOf(p *peer.Peer) string { return strconv.Itoa(int(p.Addr().Port())) }

// A target that fails before the callee's word is passed over; the second takes the call.
func TestNextTargetAnswers(t *testing.T) {
	for name, first := range map[string]func(*stage) string{
		"unresolvable": func(*stage) string { return "sip:nowhere.invalid:5060" },
		"refused": func(s *stage) string {
			gone := peer.New(s.t, s.ladder, "gone", "127.0.0.1", "udp")
			gone.Close()
			return gone.URI("")
		},
		"TCP refused": func(s *stage) string {
			gone := peer.New(s.t, s.ladder, "gone", "127.0.0.1", "tcp")
			gone.Close()
			return gone.URI(";transport=tcp")
		},
		"itself": func(s *stage) string { return "sip:" + s.proxy.String() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, setup{routes: func(s *stage) []string { return []string{first(s), s.pbx.URI("")} }})
			s.establish().hangUp()
			s.quiet()
		})
	}
}

// The first target is silent: the second is asked, and the first is told to stop as soon as it speaks.
func TestSilentTargetIsGivenUp(t *testing.T) {
	s := newStage(t, setup{hunting: true, silence: 60 * time.Millisecond})
	c := s.invite()
	late := c.in
	c.in = s.second.Expect("INVITE")
	late.Reply(180)
	late.ExpectOther("CANCEL").Reply(200)
	late.Reply(487)
	late.ExpectOther("ACK")
	c.answer().hangUp()
	s.quiet()
}

// The first target answers after it was given up: it is acknowledged and hung up, and the second's call is not touched.
func TestLateAnswerOfATargetGivenUp(t *testing.T) {
	for _, answered := range []bool{false, true} {
		s := newStage(t, setup{hunting: true, silence: 60 * time.Millisecond})
		c := s.invite()
		late := c.in
		c.in = s.second.Expect("INVITE")
		if answered {
			c.answer()
		}
		late.Reply(200, peer.WithSDP(c.sdpB(1)))
		lost := late.Dialog()
		lost.Expect("ACK")
		lost.AnswerBye()
		if !answered {
			c.answer()
		}
		// What follows goes to the target that has the call.
		out := c.left.Send("INFO")
		c.right.Expect("INFO").Reply(200)
		out.Expect(200)
		c.hangUp()
		s.quiet()
	}
}

// All targets fail: the caller is told what a target said, not what we make of silence.
func TestBestFailureIsPassed(t *testing.T) {
	s := newStage(t, setup{hunting: true, routes: func(s *stage) []string {
		return []string{s.pbx.URI(""), s.second.URI(""), "sip:nowhere.invalid:5060"}
	}})
	c := s.invite()
	c.in.Reply(500, peer.Phrase("Trunk Down"), peer.With("Retry-After", "17"), peer.With("Warning", `399 pbx "x"`))
	c.in.ExpectOther("ACK")
	in := s.second.Expect("INVITE")
	in.Reply(503, peer.Phrase("Busy"))
	in.ExpectOther("ACK")
	got := c.out.ExpectFinal()
	if got.Status() != 500 || got.Reason() != "Trunk Down" || got.Get("Retry-After") != "17" || got.Get("Warning") == "" {
		t.Errorf("the caller got %s", got.Raw)
	}
	s.quiet()
}

// 486 is the callee's own word: nobody else is asked.
func TestBusyEndsTheHunt(t *testing.T) {
	s := newStage(t, setup{hunting: true})
	c := s.invite()
	c.in.Reply(486)
	c.in.ExpectOther("ACK")
	c.out.Expect(486)
	s.quiet()
}

// The early dialog of a target that failed is over: the caller's requests in it do not reach the next one's callee.
func TestEarlyDialogOfAFailedTarget(t *testing.T) {
	s := newStage(t, setup{hunting: true})
	c := s.invite()
	c.in.Reply(180)
	early := c.out.Dialog(c.out.Expect(180))
	c.in.Reply(503)
	c.in.ExpectOther("ACK")
	c.in = s.second.Expect("INVITE")
	early.Send("INFO").Expect(481)
	c.in.Reply(180)
	c.out.Expect(180)
	c.answer().hangUp()
	s.quiet()
}

// A TCP target is reached from a proxy that listens on UDP only.
func TestTCPTargetWithoutTCPListener(t *testing.T) {
	s := newStage(t, setup{udpOnly: true, routes: func(s *stage) []string { return []string{s.pbx.URI(";transport=tcp")} }})
	s.establish().hangUp()
}

// A sips URI never travels over anything but TLS.
func TestSIPSIsNotSentInClear(t *testing.T) {
	s := newStage(t, setup{})
	out := s.caller.Invite(s.proxy, peer.Call{URI: "sips:bob@example.test", SDP: peer.BuildSDP(1)})
	out.Expect(480)
	s.quiet()
}

// What a call that nobody takes tells of itself: that it rang, once, and how it failed, with what the caller was told.
func TestEventsOfACallThatFails(t *testing.T) {
	for status, reply := range map[int]func(*call){
		486: func(c *call) {
			c.in.Reply(486)
			c.in.ExpectOther("ACK")
			c.out.Expect(486)
		},
		487: func(c *call) {
			c.out.Cancel().Expect(200)
			c.out.Expect(487)
			c.in.ExpectOther("CANCEL").Reply(200)
			c.in.Reply(487)
			c.in.ExpectOther("ACK")
		},
	} {
		events := make(chan b2bua.Event, 16)
		s := newStage(t, setup{events: func(e b2bua.Event) { events <- e }})
		c := s.invite()
		for range 2 {
			c.in.Reply(180)
			c.out.Expect(180)
		}
		reply(c)
		for _, want := range []string{b2bua.EventInitiated, b2bua.EventRinging, b2bua.EventFailed} {
			e := <-events
			if e.Type != want || e.Call.ID == "" {
				t.Errorf("%+v, not %s", e, want)
			}
			if want == b2bua.EventFailed && (e.Status != status || e.Reason == "") {
				t.Errorf("failed with %d %q, not %d", e.Status, e.Reason, status)
			}
		}
		s.quiet()
	}
}
