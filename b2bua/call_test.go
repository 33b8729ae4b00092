package b2bua_test

import (
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

func TestCallIsRelayedAndEnded(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		t.Run(string(identity), func(t *testing.T) {
			s := newStage(t, setup{identity: identity})
			c := s.invite()
			c.in.Reply(180)
			c.out.Expect(180)
			c.answer()
			if views := s.only(1); views[0].State != b2bua.StateAnswered {
				t.Fatalf("calls: %+v", views)
			}
			if same := c.in.Get("Call-ID") == c.out.Sent.Get("Call-ID"); same != (identity == b2bua.IdentityPreserve) {
				t.Errorf("Call-ID the same on both legs: %v", same)
			}
			c.hangUp()
			s.quiet()
		})
	}
}

// The Call-IDs of a call are known to belong to something for as long as it runs, and not longer: what bears them is
// handled before new calls. Of requests of no call, and such that lead nowhere, nothing is kept.
func TestCallIsKnownWhileItRuns(t *testing.T) {
	for identity, legs := range map[b2bua.Identity]int{b2bua.IdentityPreserve: 1, b2bua.IdentityRewrite: 2} {
		t.Run(string(identity), func(t *testing.T) {
			s := newStage(t, setup{identity: identity, t1: 15 * time.Millisecond})
			entered := func(n int) bool {
				sum := 0
				for _, lane := range s.layer.Lanes() {
					sum += lane.Entered()
				}
				return sum == n
			}
			c := s.establish()
			if !peer.Eventually(func() bool { return s.layer.Transactions() == 0 }) || !entered(legs) {
				t.Error("a running call is not known")
			}
			v := newVictim(t, s.proxy, "127.0.0.1")
			for _, method := range []string{"BYE", "INVITE", "UPDATE"} {
				v.sendTo("<sip:bob@pbx.test>;tag=x", method, 70, "")
				if got := v.next(peer.Patience); got != "481" {
					t.Errorf("%s of no call: %s", method, got)
				}
			}
			if s.layer.Transactions() > 0 || !entered(legs) {
				t.Error("something is kept of requests of no call")
			}
			c.hangUp()
			if !peer.Eventually(func() bool { return entered(0) }) {
				t.Error("an ended call is known")
			}
		})
	}
}
