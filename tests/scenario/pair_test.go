package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// pairStage is a stage whose recorder wants a session of its own for each party.
func pairStage(t *testing.T, rule string) *stage {
	t.Helper()
	return newStage(t, setup{rule: rule, recorder: "    dialect: {streams: two-sessions}\n", srsNets: []string{"udp"}, timeout: "4s"})
}

// pair takes both sessions of a recording, the caller's first.
func (st *stage) pair() (both [2]*peer.Session) {
	st.t.Helper()
	for range both {
		rs := st.srs().Accept()
		switch {
		case len(rs.Labels) != 1 || rs.Labels[0] != "1" && rs.Labels[0] != "2":
			st.t.Fatalf("labels %v", rs.Labels)
		case rs.Labels[0] == "1":
			both[0] = rs
		default:
			both[1] = rs
		}
	}
	if both[0] == nil || both[1] == nil {
		st.t.Fatal("the parties are not in a session each")
	}
	return both
}

// heardBy waits until each session has five more packets of its party.
func (c *call) heardBy(both [2]*peer.Session) {
	c.st.t.Helper()
	both[0].Streams["1"].AwaitFrom("alice", c.a.Sent(), 5)
	both[1].Streams["2"].AwaitFrom("bob", c.b.Sent(), 5)
}

// states are those of the call's live recordings, in order of their names.
func (st *stage) states() (all []string) {
	for _, r := range st.sys.live() {
		all = append(all, r.str("name")+" "+r.str("state"))
	}
	slices.Sort(all)
	return all
}

// One press of a key, or one request for NAME, is for both sessions of a pair: what one party says in a pause is as
// little for the SRS as what the other does.
func TestPairIsSteeredAsOne(t *testing.T) {
	st := pairStage(t, fmt.Sprintf(steering, "both", true))
	c := st.establish(dialing{})
	both := st.pair()
	c.heardBy(both)

	paused := func() {
		t.Helper()
		for _, rs := range both {
			directions(t, rs, "inactive")
		}
		a, b := c.a.Sent(), c.b.Sent()
		c.heard(20)
		none(t, both[0].Streams["1"], a, c.a.Sent())
		none(t, both[1].Streams["2"], b, c.b.Sent())
		if got := st.states(); !slices.Equal(got, []string{"main.callee paused", "main.caller paused"}) {
			t.Errorf("recordings %q", got)
		}
	}
	goesOn := func() {
		t.Helper()
		for _, rs := range both {
			directions(t, rs, "sendonly")
		}
		c.heardBy(both)
	}
	key(t, c.left, c.right, "*2", false)
	paused()
	key(t, c.right, c.left, "*3", false)
	goesOn()

	main := "/api/v1/recordings/" + st.sys.list("/api/v1/calls")[0].str("id") + ":main"
	status := post(st, main+"/pause", 200)
	paused()
	<-status
	if status, body := st.sys.get(main); status != 200 || !strings.Contains(string(body), `"name":"main.caller"`) {
		t.Errorf("main is %d %s", status, body)
	}
	status = post(st, main+"/resume", 200)
	goesOn()
	<-status

	masked := func(want bool) {
		t.Helper()
		if !peer.Eventually(func() bool {
			_, body := st.sys.get("/api/v1/recordings")
			n := strings.Count(string(body), `"masked":true`)
			return n == 0 && !want || n == 2 && want
		}) {
			t.Errorf("masked is not %v: %v", want, st.sys.live())
		}
	}
	key(t, c.left, c.right, "#4", false)
	masked(true)
	key(t, c.left, c.right, "#5", false)
	masked(false)

	<-post(st, main+".callee/pause", 200) // one of the two has a name, too
	directions(t, both[1], "inactive")
	c.heard(5)
	both[0].Streams["1"].AwaitFrom("alice", c.a.Sent(), 5)
	key(t, c.left, c.right, "*2", false) // the other half follows
	directions(t, both[0], "inactive")

	key(t, c.left, c.right, "**9", false)
	for _, rs := range both {
		rs.End()
	}
	key(t, c.left, c.right, "*1", false)
	both = st.pair()
	c.heardBy(both)
	c.hangUp()
	for _, rs := range both {
		rs.End()
	}
}

// A program that decides is asked about the recording, not about its halves: with its yes both begin, and a call that must
// be recorded is answered when an SRS has taken both.
func TestPairIsDecidedAsOne(t *testing.T) {
	for name, answer := range map[string]string{"as the rule says": `{}`, "with particulars": `{"recorders": ["main"], "tracks": "both", "parameters": {"agent": "7"}}`} {
		t.Run(name, func(t *testing.T) {
			url, questions, answers := decider(t)
			st := pairStage(t, "required: true\n    decide: {url: "+url+", timeout: 10s}")
			c := st.invite(dialing{})
			c.in.Reply(180)
			c.out.Expect(180)
			c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
			if q := <-questions; fmt.Sprint(q["recorders"]) != "[main]" {
				t.Errorf("asked about %v", q["recorders"])
			}
			answers <- answer
			one, two := st.srs().Expect("INVITE"), st.srs().Expect("INVITE")
			both := []*peer.Session{st.srs().AcceptInvite(one)}
			if !peer.Eventually(func() bool {
				return slices.ContainsFunc(st.states(), func(s string) bool { return strings.HasSuffix(s, " recording") })
			}) {
				t.Errorf("recordings %q", st.states())
			}
			if early := c.out.Next(0); early != nil {
				t.Errorf("half recorded, and the caller got %s", early.Start)
			}
			both = append(both, st.srs().AcceptInvite(two))
			c.accepted(dialing{})
			c.hangUp()
			for _, rs := range both {
				rs.End()
			}
		})
	}
}
