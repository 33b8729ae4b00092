package b2bua_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// Targets rung together ring for as long as the route says, whatever Timer C is and however seldom they say that they do.
func TestNoAnswerOutlastsTimerC(t *testing.T) {
	s := newStage(t, setup{hunting: true, rings: 20 * time.Millisecond, timerC: 200 * time.Millisecond, policy: func(s *stage) policy.Config {
		return policy.Config{Routes: []policy.Route{{Name: "both", Parallel: true, NoAnswer: 600 * time.Millisecond, Targets: policy.Targets(s.pbx.URI(""), s.second.URI(""))}}}
	}})
	c := s.send()
	for _, in := range []*peer.Incoming{s.pbx.Expect("INVITE"), s.second.Expect("INVITE")} {
		in.Reply(180)
		defer func() {
			cancel := in.ExpectOther("CANCEL")
			if !strings.Contains(cancel.Get("Reason"), "No answer") { // Timer C gives no reason
				t.Errorf("CANCEL with Reason %q", cancel.Get("Reason"))
			}
			cancel.Reply(200)
			in.Reply(487)
			in.ExpectOther("ACK")
		}()
	}
	for {
		if m := c.out.Next(peer.Patience); m == nil || m.Status() >= 200 {
			if m == nil || m.Status() != 408 {
				t.Errorf("the caller got %v", m)
			}
			return
		}
	}
}

// With identities rewritten the caller has one early dialog whoever rings: his BYE in it is to all of them.
func TestByeInTheOneEarlyDialog(t *testing.T) {
	s, c, in := ringing(t, b2bua.IdentityRewrite, nil)
	var early *peer.Message
	for _, i := range in {
		i.Reply(180)
		early = c.out.Expect(180)
	}
	c.out.Dialog(early).Send("BYE").Expect(200)
	c.out.Expect(487)
	cancelled(in[:])
	s.quiet()
}

// Who has signed in and has no hops left is told so, and not asked once more.
func TestNoHopsForWhoHasSignedIn(t *testing.T) {
	s := gateStage(t, false, "s3cret")
	refused := s.send(peer.With("Max-Forwards", "0")).out.Expect(401)
	s.send(peer.With("Max-Forwards", "0"), signed(t, refused, "INVITE", bob, "s3cret")).out.Expect(483)
	s.quiet()
}
