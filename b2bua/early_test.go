package b2bua_test

import (
	"testing"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// What the next target plays is heard, whatever the one before it had played: asked in turn, and rung together.
func TestEarlyMediaOfTheNextTarget(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for _, parallel := range []bool{false, true} {
			s := newStage(t, setup{hunting: true, identity: identity, policy: func(s *stage) policy.Config {
				return policy.Config{Routes: []policy.Route{{Name: "both", Parallel: parallel, Targets: policy.Targets(s.pbx.URI(""), s.second.URI(""))}}}
			}})
			c := s.invite()
			first := peer.NewMedia(t, "127.0.0.1", "c", "first")
			c.in.Reply(183, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: first})))
			c.out.Expect(183)
			to := peer.ParseSDP(c.in.SDP()).Media[0].Addr()
			first.Send(to)
			c.a.AwaitFrom("first", 0, 1)
			c.in.Reply(503)
			c.in.ExpectOther("ACK")
			c.in = s.second.Expect("INVITE")
			c.in.Reply(183, peer.WithSDP(c.sdpB(1)))
			c.out.Expect(183)
			c.b.Send(to)
			c.a.AwaitFrom("callee", 0, 1)
			c.answer().hangUp()
			s.quiet()
		}
	}
}
