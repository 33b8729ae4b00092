package scenario_test

import (
	"testing"

	"sidetrack/tests/peer"
)

// all checks that a party's packets, from the first to the last, are in one recording or the other.
func (c *call) all(party *peer.Media, label string, sessions ...*peer.Session) {
	c.st.t.Helper()
	missing := func() (n int) {
		have := map[int]bool{}
		for _, s := range sessions {
			for _, p := range s.Streams[label].Packets() {
				have[p.Number] = true
			}
		}
		for i := 1; i <= party.Sent(); i++ {
			if !have[i] {
				n++
			}
		}
		return n
	}
	if !peer.Eventually(func() bool { return missing() == 0 }) {
		c.st.t.Errorf("%d packets of label %s are in no recording", missing(), label)
	}
}

// sameSession checks that two SRSs have been told of one session.
func sameSession(t *testing.T, a, b *peer.Session) {
	t.Helper()
	x, y := a.Doc(), b.Doc()
	if x.Sessions[0].ID != y.Sessions[0].ID || x.Participants[0].ID != y.Participants[0].ID || x.Streams[0].ID != y.Streams[0].ID {
		t.Errorf("%+v\n%+v", x, y)
	}
	if y.DataMode != "complete" || b.Offer().Version <= a.Offer().Version {
		t.Errorf("%s document, o= version %d after %d", y.DataMode, b.Offer().Version, a.Offer().Version)
	}
}

// The SRS hangs up in mid-call and nobody takes the session for two rounds: the two recordings together hold every
// packet of both parties.
func TestMoveLosesNothing(t *testing.T) {
	st := newStage(t, setup{srs: 2})
	c := st.establish(dialing{})
	rs := st.srss[0].Accept()
	c.recorded(rs, 20)
	rs.Dialog.Bye()
	for _, i := range []int{1, 0} {
		in := st.srss[i].Expect("INVITE")
		in.Reply(503)
		in.ExpectOther("ACK")
	}
	next := st.srss[1].Accept()
	sameSession(t, rs, next)
	c.recorded(next, 20)
	c.quiet()
	c.all(c.a, "1", rs, next)
	c.all(c.b, "2", rs, next)
	inOrder(t, next.Streams["1"])
	c.hangUp()
	next.End()
	st.result("complete")
	c.whole(c.a, c.b)
	c.whole(c.b, c.a)
}

// The SRS's process dies in mid-call: another one records, and the call has not noticed. Between them
// they have every packet: what the dead one may not have written the other gets again.
func TestKilledSRS(t *testing.T) {
	st := newStage(t, setup{srs: 2, rule: "required: true", recorder: "    check: 0s # what its host says must do\n"})
	made := make(chan *call)
	go func() { made <- st.establish(dialing{}) }()
	rs := st.srss[0].Accept()
	c := <-made
	c.recorded(rs, 20)
	for _, s := range rs.Streams {
		s.Close()
	}
	st.srss[0].Close()
	next := st.srss[1].Accept()
	sameSession(t, rs, next)
	c.recorded(next, 20)
	c.quiet()
	c.hangUp()
	next.End()
	c.all(c.a, "1", rs, next)
	c.all(c.b, "2", rs, next)
	inOrder(t, next.Streams["1"])
	st.result("complete")
}

// An operator empties an SRS: the recording goes on at the next one, without loss.
func TestOperatorMovesARecording(t *testing.T) {
	st := newStage(t, setup{srs: 2})
	c := st.establish(dialing{})
	rs := st.srss[0].Accept()
	c.recorded(rs, 20)
	path := "/api/v1/recordings/" + st.sys.recordings()[0].str("id") + "/move"
	moved := post(st, path, 200)
	rs.End()
	next := st.srss[1].Accept()
	<-moved
	sameSession(t, rs, next)
	c.recorded(next, 20)
	c.quiet()
	c.all(c.a, "1", rs, next)
	c.all(c.b, "2", rs, next)
	c.hangUp()
	next.End()
	st.result("complete")
}

// With midcall: stop the loss of the SRS is the end of the recording.
func TestMidCallStop(t *testing.T) {
	st := newStage(t, setup{srs: 2, recorder: "    midcall: stop\n"})
	c := st.establish(dialing{})
	rs := st.srss[0].Accept()
	c.recorded(rs, 20)
	rs.Dialog.Bye()
	st.result("partial")
	if in := st.srss[1].Maybe("INVITE", 0); in != nil {
		t.Error("the second SRS was asked")
	}
	c.hangUp()
}
