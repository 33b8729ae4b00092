package scenario_test

import (
	"net/http"
	"testing"

	"sidetrack/tests/peer"
)

// BYE from either side ends the other, with its Reason, and the recording.
func TestByeFromEitherSide(t *testing.T) {
	for _, who := range []string{"caller", "callee"} {
		t.Run(who, func(t *testing.T) {
			st := newStage(t, setup{})
			c := st.establish(dialing{})
			rs := st.srs().Accept()
			c.recorded(rs, 5)
			here, there := c.left, c.right
			if who == "callee" {
				here, there = c.right, c.left
			}
			out := here.Send("BYE", peer.With("Reason", `Q.850;cause=16;text="bye"`))
			in := there.Expect("BYE")
			if in.Get("Reason") != `Q.850;cause=16;text="bye"` {
				t.Errorf("Reason arrived as %q", in.Get("Reason"))
			}
			in.Reply(200)
			out.Expect(200)
			rs.End()
			c.judge(rs)
		})
	}
}

// Both hang up at once: each gets an answer to his BYE, and nothing is left.
func TestByesCross(t *testing.T) {
	st := newStage(t, setup{})
	sessions := st.srs().AcceptAll()
	for i := range 10 {
		c := st.establish(dialing{quiet: true})
		for _, d := range []*peer.Dialog{c.left, c.right} {
			d.Peer.Auto("BYE", func(in *peer.Incoming) bool { in.Reply(200); return true })
		}
		left, right := c.left.Send("BYE"), c.right.Send("BYE")
		for _, out := range []*peer.Outgoing{left, right} {
			if got := out.ExpectFinal(); got.Status() != 200 && got.Status() != 481 {
				t.Errorf("call %d: BYE got %s", i, got.Start)
			}
		}
	}
	if !peer.Eventually(func() bool { return sessions.Ended() == sessions.Taken() }) {
		t.Errorf("%d recording sessions, %d ended", sessions.Taken(), sessions.Ended())
	}
}

// BYE right behind the ACK: nothing is lost or swapped.
func TestByeOnTheHeelsOfTheAck(t *testing.T) {
	st := newStage(t, setup{})
	sessions := st.srs().AcceptAll()
	for range 20 {
		c := st.invite(dialing{})
		c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: c.b})))
		ok := c.out.Expect(200)
		left, right := c.out.Dialog(ok), c.in.Dialog()
		left.Ack(ok)
		bye := left.Send("BYE")
		first := st.callee.ExpectWhere("ACK or BYE", func(m *peer.Message) bool { return m.CallID() == right.CallID })
		if first.Method() != "ACK" {
			t.Errorf("%s came first", first.Method())
		}
		right.AnswerBye()
		bye.Expect(200)
	}
	if !peer.Eventually(func() bool { return sessions.Ended() == sessions.Taken() }) {
		t.Errorf("%d recording sessions, %d ended", sessions.Taken(), sessions.Ended())
	}
}

// The recording session's BYE is repeated until it is answered; one that is never answered does not stay for ever.
func TestByeToTheRecorderIsRepeated(t *testing.T) {
	st := newStage(t, setup{srsNets: []string{"udp"}})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.hangUp()
	bye := rs.Dialog.Expect("BYE")
	st.srs().AwaitTimes(bye.Message, 3)
	bye.Reply(200)
}

// The peers stay up while the callee vanishes: the caller's BYE is answered at once, whatever becomes of the other.
func TestByeToADeadCallee(t *testing.T) {
	st := newStage(t, setup{t1: shortT1})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	c.b.Quiet()
	st.callee.Close()
	c.left.Send("BYE").Expect(200)
	rs.End()
}

// Stop in the middle of calls: no new ones, running ones may finish, and the stop ends with the last of them.
func TestStopWaitsForRunningCalls(t *testing.T) {
	st := newStage(t, setup{drain: "30s"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	stopped := st.stopping()
	refused := st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR}).ExpectFinal()
	if refused.Status() != 503 {
		t.Errorf("a new call while draining got %s", refused.Start)
	}
	c.recorded(rs, 10) // the running one is not disturbed
	c.hangUp()
	rs.End()
	<-stopped
	c.judge(rs)
}

// When the time for draining is over, every party is sent BYE, the SRS included.
func TestStopHangsUpAfterDraining(t *testing.T) {
	st := newStage(t, setup{drain: "200ms"})
	c := st.establish(dialing{})
	rs := st.srs().Accept()
	c.recorded(rs, 5)
	stopped := st.stopping()
	c.left.AnswerBye()
	c.right.AnswerBye()
	rs.End()
	<-stopped
}

// stopping begins the stop and returns when the system says that it is not ready for new calls any more; the channel
// closes when it has stopped.
func (st *stage) stopping() <-chan struct{} {
	st.t.Helper()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		st.sys.Stop()
	}()
	if !peer.Eventually(func() bool {
		status, _ := st.sys.get("/readyz")
		return status == http.StatusServiceUnavailable
	}) {
		st.t.Error("/readyz does not say that it is draining")
	}
	if status, _ := st.sys.get("/healthz"); status != http.StatusOK {
		st.t.Errorf("/healthz says %d while draining", status)
	}
	return stopped
}
