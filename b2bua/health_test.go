package b2bua_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// states waits until the targets of the routes are seen in these states.
func (s *stage) states(want ...b2bua.TargetState) {
	s.t.Helper()
	got := func() (all []b2bua.TargetState) {
		for _, v := range s.server.Targets() {
			all = append(all, v.State)
		}
		return all
	}
	if !peer.Eventually(func() bool { return slices.Equal(got(), want) }) {
		s.t.Fatalf("%+v, wanted %v", s.server.Targets(), want)
	}
}

// A target that does not answer probes is asked after the others, by calls and other requests, or not at all among
// those that are rung together; one that answers is asked again, and when all are down they are asked as ever.
func TestTargetsThatAreDownAreAskedLast(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		route := policy.Route{Name: "pbx", Parallel: parallel, Probe: policy.Probe{Interval: 50 * time.Millisecond, Timeout: 50 * time.Millisecond, Codes: regexp.MustCompile("^200$")}}
		s := oneRoute(t, func(_ *stage, r *policy.Route) {
			route.Targets = []policy.Target{{URI: r.Targets[0].URI + "?X-A=b"}, r.Targets[1]}
			*r = route
		})
		s.server.Probe([]policy.Route{route}) // nobody answers
		s.states(b2bua.TargetDown, b2bua.TargetDown)
		if v := s.server.Targets(); v[0].Code != 408 || v[1].Code != 408 {
			t.Errorf("%+v", v)
		}
		s.pbx.AutoReply("OPTIONS", 404)
		s.second.AutoReply("OPTIONS", 200)
		s.states(b2bua.TargetDown, b2bua.TargetUp)
		if !peer.Eventually(func() bool { return s.server.Targets()[0].Code == 404 }) {
			t.Errorf("%+v", s.server.Targets())
		}
		v := s.server.Targets()[0]
		if v.Since == nil || v.Target != s.pbx.URI("") || v.Route != "pbx" {
			t.Errorf("%+v", v)
		}
		c := s.send()
		c.in = s.second.Expect("INVITE")
		if parallel {
			c.answer().hangUp()
		} else {
			c.in.Reply(503)
			c.in.ExpectOther("ACK")
			c.in = s.pbx.Expect("INVITE")
			c.answer().hangUp()
		}
		out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
		s.second.Expect("MESSAGE").Reply(200)
		out.Expect(200)

		s.second.AutoReply("OPTIONS", 503)
		s.states(b2bua.TargetDown, b2bua.TargetDown)
		c = s.invite()
		if parallel {
			s.second.Expect("INVITE").Reply(486)
		}
		c.answer().hangUp()

		s.pbx.AutoReply("OPTIONS", 200)
		s.states(b2bua.TargetUp, b2bua.TargetDown)
		s.invite().answer().hangUp()

		s.server.Probe([]policy.Route{{Name: "other", Targets: route.Targets}})
		s.states(b2bua.TargetUnprobed, b2bua.TargetUnprobed)
		for _, p := range []*peer.Peer{s.pbx, s.second} {
			if !peer.Eventually(func() bool { return p.Maybe("OPTIONS", 200*time.Millisecond) == nil }) {
				t.Errorf("%s is asked although no route wants it", p.Name)
			}
		}
	}
}
