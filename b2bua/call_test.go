package b2bua_test

import (
	"testing"

	"sidetrack/b2bua"
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
