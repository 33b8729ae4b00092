package scenario_test

import (
	"testing"

	"sidetrack/tests/peer"
)

// An SRS that takes two seconds to answer gets every packet from the call's answer on, each once, in order and with the
// time at which it was said.
func TestFirstWordsReachASlowSRS(t *testing.T) {
	st := newStage(t, setup{timeout: "10s"})
	c := st.establish(dialing{})
	in := st.srs().Expect("INVITE")
	in.Reply(100)
	c.heard(100)
	rs := st.srs().AcceptInvite(in)
	c.recorded(rs, 20)
	c.quiet()
	for label, from := range map[string]*peer.Media{"1": c.a, "2": c.b} {
		gapless(t, rs.Streams[label], 1, from.Sent())
		inOrder(t, rs.Streams[label])
	}
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// The first SRS takes its time and then refuses: the second gets the first words all the same.
func TestFirstWordsSurviveAFailover(t *testing.T) {
	st := newStage(t, setup{srs: 2, timeout: "10s"})
	c := st.establish(dialing{})
	in := st.srss[0].Expect("INVITE")
	c.heard(50)
	in.Reply(503)
	in.ExpectOther("ACK")
	rs := st.srss[1].Accept()
	c.recorded(rs, 20)
	c.quiet()
	gapless(t, rs.Streams["1"], 1, c.a.Sent())
	gapless(t, rs.Streams["2"], 1, c.b.Sent())
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// What an operator pauses while the SRS has not answered yet is not kept for it.
func TestPausedFirstWordsAreNotKept(t *testing.T) {
	st := newStage(t, setup{timeout: "10s"})
	c := st.establish(dialing{})
	in := st.srs().Expect("INVITE")
	c.heard(20)
	path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id")
	through := func() int { // that number and those before it have gone through the relay, but for a few that were overtaken
		all := c.b.Packets()
		return all[len(all)-1].Number - 3
	}
	before := through()
	<-post(st, path+"/pause", 200)
	after := c.a.Sent() + 3 // those under way
	c.heard(30)
	upTo := through()
	<-post(st, path+"/resume", 200)
	resumed := c.a.Sent() + 3
	c.heard(20)
	rs := st.srs().AcceptInvite(in)
	c.recorded(rs, 20)
	c.quiet()
	gapless(t, rs.Streams["1"], 1, before)
	none(t, rs.Streams["1"], after, upTo)
	gapless(t, rs.Streams["1"], resumed, c.a.Sent())
	c.hangUp()
	rs.End()
	c.judge(rs)
}

// inOrder fails when a stream's packets did not arrive as they were said.
func inOrder(t *testing.T, stream *peer.Media) {
	t.Helper()
	all := stream.Packets()
	for i := 1; i < len(all); i++ {
		if all[i].Number != all[i-1].Number+1 {
			t.Errorf("number %d arrived after %d", all[i].Number, all[i-1].Number)
			return
		}
	}
}
