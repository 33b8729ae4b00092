package src_test

import (
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// What a party wants of a recording that has not begun holds from its first packet on: while a program decides, when it has
// decided and the call still rings, and where no program is asked. What it wants last counts.
func TestPausedWhileItRings(t *testing.T) {
	for name, tt := range map[string]struct{ decided, before, resumed bool }{
		"before the decision":              {decided: true, before: true},
		"before the decision, and resumed": {decided: true, before: true, resumed: true},
		"after the decision":               {decided: true},
		"by the rule":                      {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, srs := newProgram(), newSRS(t, "srs", "udp")
			steered := func(s *setup) { s.rule.Controls = &policy.Controls{Signalling: true} }
			if tt.decided {
				steered = decided(p, false, policy.OnErrorRecord, steered)
			}
			r := newRig(t, []string{srs.URI(";transport=udp")}, steered)
			act := func(c *call, action policy.Action) {
				t.Helper()
				if !r.client.Act(c.cs.ID, metadata.Caller, policy.Wish{Action: action}) {
					t.Fatalf("%s: nobody is concerned", action)
				}
			}
			c := r.newCall()
			answered := c.cs.Answered
			c.cs.State, c.cs.Answered = metadata.CallEarly, time.Time{}
			c.talk()
			c.begin()
			if tt.before {
				<-p.asked
				act(c, policy.ActionPause)
			}
			if tt.decided {
				p.say(src.Answer{Record: true})
				if !peer.Eventually(func() bool { return r.metric(t, "sidetrack_decisions_total") == 1 }) {
					t.Fatal("not decided")
				}
			}
			if !tt.before {
				act(c, policy.ActionPause)
			}
			if tt.resumed {
				act(c, policy.ActionResume)
			}
			c.change(func(cs *metadata.Snapshot) { cs.State, cs.Answered = metadata.CallAnswered, answered })
			s := srs.Accept()
			inactive(t, s, !tt.resumed)
			if !tt.resumed {
				c.await(metadata.StatePaused)
				silence(t, c, s)
				act(c, policy.ActionResume)
				s.Update()
			}
			hears(t, c, s)
			finish(t, c, s)
		})
	}
}
