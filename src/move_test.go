package src_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// moved is a call that is recorded by the first of several SRSs, over one network.
type moved struct {
	r    *rig
	c    *call
	recs []*peer.Recorder
	s    *peer.Session
}

func midCall(t *testing.T, network string, n int, opts ...func(*setup)) *moved {
	t.Helper()
	m := &moved{}
	var uris []string
	for range n {
		rec := newSRS(t, "srs"+string(rune('1'+len(m.recs))), network)
		m.recs = append(m.recs, rec)
		uris = append(uris, rec.URI(";transport="+network))
	}
	m.r = newRig(t, uris, opts...)
	m.c = m.r.newCall()
	m.c.talk()
	m.c.begin()
	m.s = m.recs[0].Accept()
	hears(t, m.c, m.s)
	m.c.await(metadata.StateRecording)
	return m
}

// arrives checks that the session has come to another SRS as the same one, and is heard there.
func (m *moved) arrives(t *testing.T, to *peer.Recorder) *peer.Session {
	t.Helper()
	s := to.Accept()
	if s.Invite.CallID() == m.s.Invite.CallID() || s.Invite.FromTag() == m.s.Invite.FromTag() {
		t.Error("the new dialog has the identity of the old one")
	}
	was, is := m.s.Doc(), s.Doc()
	if is.DataMode != "complete" || is.Sessions[0].ID != was.Sessions[0].ID ||
		is.Participants[0].ID != was.Participants[0].ID || is.Participants[1].ID != was.Participants[1].ID ||
		is.Streams[0].ID != was.Streams[0].ID || is.Streams[1].ID != was.Streams[1].ID {
		t.Errorf("the ids have changed: %+v, %+v", was, is)
	}
	if s.Offer().Version <= m.s.Offer().Version || strings.Fields(s.Offer().Origin)[1] != strings.Fields(m.s.Offer().Origin)[1] {
		t.Errorf("origins: %s, %s", m.s.Offer().Origin, s.Offer().Origin)
	}
	hears(t, m.c, s)
	m.c.await(metadata.StateRecording)
	return s
}

// numbers are those of the party's packets that a stream has received.
func numbers(s *peer.Session, label string) map[int]bool {
	got := map[int]bool{}
	for _, p := range s.Streams[label].Packets() {
		got[p.Number] = true
	}
	return got
}

// quiet has both parties fall silent, when all that they have said has gone through the relay.
func (c *call) quiet() {
	c.caller.Quiet()
	c.callee.Quiet()
	c.hushed = true
	if !peer.Eventually(func() bool { return c.relayed(0) == c.caller.Sent() && c.relayed(1) == c.callee.Sent() }) {
		c.r.t.Errorf("%d and %d packets relayed of %d and %d", c.relayed(0), c.relayed(1), c.caller.Sent(), c.callee.Sent())
	}
}

func (c *call) relayed(flow int) int { return int(c.relay.Stats().Streams[0].Flows[flow].Packets) }

// together checks that both sessions together have every packet from the first on.
func together(t *testing.T, c *call, a, b *peer.Session) {
	t.Helper()
	for label, party := range map[string]*peer.Media{"1": c.caller, "2": c.callee} {
		missing := func() (n int) {
			one, two := numbers(a, label), numbers(b, label)
			first := 1
			for !one[first] { // said before the recording began
				first++
			}
			last := party.Sent()
			if !c.hushed {
				last -= 5
			}
			for i := first; i <= last; i++ {
				if !one[i] && !two[i] {
					n++
				}
			}
			return n
		}
		if !peer.Eventually(func() bool { return missing() == 0 }) {
			t.Errorf("%d packets of label %s are in neither recording", missing(), label)
		}
	}
}

// Each way in which the loss of the SRS shows: the session goes on at the next one, the same one.
func TestMoves(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network+"/BYE", func(t *testing.T) {
			t.Parallel()
			m := midCall(t, network, 2)
			m.s.Dialog.Bye(peer.With("Reason", `SIP;cause=503;text="going down"`))
			to := m.arrives(t, m.recs[1])
			together(t, m.c, m.s, to)
			finish(t, m.c, to)
			if got := m.r.kinds(); got != "start moved stop" {
				t.Errorf("events: %s", got)
			}
			if got := m.c.notified(); got != "recording moving recording ended" {
				t.Errorf("notified of: %s", got)
			}
			if v := m.r.last(m.c.view().ID); v.Moves != 1 || v.Streams[0].AtRisk != 0 || len(v.Streams[0].Gaps) != 0 {
				t.Errorf("%+v", v)
			}
			if n := m.r.metric(t, "sidetrack_srs_failovers_total"); n != 1 {
				t.Errorf("%v failovers counted", n)
			}
		})
		for _, code := range []int{408, 481} {
			t.Run(network+"/update gets "+decimal(code), func(t *testing.T) {
				t.Parallel()
				m := midCall(t, network, 2)
				m.recs[0].AutoReply("BYE", 481)
				m.c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
				m.s.ExpectUpdate().Reply(code)
				to := m.arrives(t, m.recs[1])
				if names := to.Doc().Participants[1].Names; len(names) != 1 || names[0].Name != "Robert" {
					t.Errorf("the new SRS knows the callee as %+v", names)
				}
				m.c.end()
				to.End()
				m.c.await(metadata.StateEnded)
			})
		}
		for _, code := range []int{408, 481, 503} {
			t.Run(network+"/OPTIONS gets "+decimal(code), func(t *testing.T) {
				t.Parallel()
				m := midCall(t, network, 2, checked)
				m.recs[0].AutoReply("BYE", 481)
				in := m.recs[0].Expect("OPTIONS")
				if in.CallID() != m.s.Invite.CallID() || in.ToTag() == "" || !strings.Contains(in.Get("Contact"), "+sip.src") {
					t.Errorf("OPTIONS of another dialog, or without +sip.src: %s", in.Start)
				}
				m.recs[1].AutoReply("OPTIONS", 200)
				in.Reply(code)
				to := m.arrives(t, m.recs[1])
				m.c.end()
				to.End()
				m.c.await(metadata.StateEnded)
			})
		}
	}
}

func decimal(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// kill closes all that the SRS has: what is left of a killed process are the answers of its host's kernel.
func (m *moved) kill() {
	for _, st := range m.s.Streams {
		st.Close()
	}
	m.recs[0].Close()
}

// Killed in mid-call, the SRS is replaced within two seconds; no question has been put to it before.
func TestKilled(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			m := midCall(t, network, 2)
			died := time.Now()
			m.kill()
			in := m.recs[1].Expect("INVITE")
			if took := time.Since(died); took > 2*time.Second {
				t.Errorf("the second SRS was asked after %v", took)
			}
			kept := m.c.caller.Sent()
			in.Reply(180)
			m.c.spoken(20)
			to := m.recs[1].AcceptInvite(in)
			to.Streams["1"].AwaitFrom("caller", kept, 15)
			hears(t, m.c, to)
			together(t, m.c, m.s, to)
			m.c.end()
			to.End()
			v := m.c.ended(src.Complete)
			last := m.r.last(v.ID)
			for _, st := range last.Streams {
				if st.AtRisk != 0 || st.Lost != 0 || len(st.Gaps) != 0 {
					t.Errorf("%+v", st)
				}
			}
			if len(last.Alarms) != 0 {
				t.Errorf("alarms: %v", last.Alarms)
			}
		})
	}
}

// Without a replay the verdict says what is missing.
func TestKilledWithoutReplay(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2, forgets)
	m.kill()
	to := m.recs[1].Accept()
	hears(t, m.c, to)
	m.c.end()
	to.End()
	v := m.c.ended(src.Partial)
	for _, st := range m.r.last(v.ID).Streams {
		if st.AtRisk == 0 || st.Lost > st.AtRisk || len(st.Gaps) == 0 || st.Gaps[0].Cause != "lost" || st.Gaps[0].To.IsZero() {
			t.Errorf("%+v", st)
		}
	}
}

// A connection that the SRS closes in mid-dialog is no loss when it answers on the next.
func TestConnectionDropIsNoLoss(t *testing.T) {
	t.Parallel()
	m := midCall(t, "tcp", 2)
	m.c.spoken(75) // past the quiet time after the start
	m.recs[0].DropConnections()
	m.recs[0].Expect("OPTIONS").Reply(200)
	hears(t, m.c, m.s)
	m.c.spoken(75)
	if in := m.recs[0].Maybe("OPTIONS", 0); in != nil {
		t.Error("asked again although nothing has happened")
	}
	finish(t, m.c, m.s)
}

// Nobody takes the session for a while: the list is gone round again and again, the lost SRS last, and what was said
// meanwhile is there in the end.
func TestMoveIsRepeated(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 3)
	m.s.Dialog.Bye()
	for round := range 2 {
		for _, i := range []int{1, 2, 0} {
			in := m.recs[i].Expect("INVITE")
			if v := m.c.view(); v.State != metadata.StateMoving {
				t.Errorf("round %d: %s", round, v.State)
			}
			in.Reply(503)
			in.ExpectOther("ACK")
		}
	}
	to := m.arrives(t, m.recs[1])
	together(t, m.c, m.s, to)
	m.c.spoken(25) // by then nothing is kept any more
	finish(t, m.c, to)
	if v := m.c.view(); len(v.Attempts) != 8 {
		t.Errorf("%d attempts", len(v.Attempts))
	}
}

// The ends of a call whose recording is just moving.
func TestEndsWhileMoving(t *testing.T) {
	t.Run("call, with words kept", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2, required)
		m.s.Dialog.Bye()
		in := m.recs[1].Expect("INVITE")
		in.Reply(180)
		m.c.spoken(5)
		m.c.quiet()
		m.c.end()
		to := m.recs[1].AcceptInvite(in)
		together(t, m.c, m.s, to)
		to.End()
		m.c.ended(src.Complete)
	})
	t.Run("call, nobody takes the words", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2)
		m.c.spoken(20)
		m.kill()
		in := m.recs[1].Expect("INVITE")
		in.Reply(180)
		m.c.end()
		in.Reply(503)
		in.ExpectOther("ACK")
		v := m.c.ended(src.Partial)
		if !strings.Contains(v.Reason, "moving") {
			t.Errorf("reason: %s", v.Reason)
		}
		for _, st := range m.r.last(v.ID).Streams {
			if st.AtRisk == 0 || len(st.Gaps) != 1 || st.PacketsIn != st.PacketsCopied+st.Lost {
				t.Errorf("%+v", st)
			}
		}
	})
	t.Run("operator", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 1)
		m.s.Dialog.Bye()
		in := m.recs[0].Expect("INVITE")
		in.Reply(503)
		m.c.await(metadata.StateMoving)
		if _, err := m.r.client.Move(context.Background(), m.c.view().ID, ""); !errors.Is(err, src.ErrState) {
			t.Errorf("moving what moves: %v", err)
		}
		if _, err := m.r.client.Stop(context.Background(), m.c.view().ID); err != nil {
			t.Error(err)
		}
		m.c.ended(src.Partial)
		m.c.end()
	})
}

// A pause holds over a move: what is said in it reaches neither SRS.
func TestPauseHoldsOverAMove(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	if _, err := m.r.client.Pause(context.Background(), m.c.view().ID); err != nil {
		t.Fatal(err)
	}
	m.s.Update()
	silence(t, m.c, m.s)
	m.s.Dialog.Bye()
	to := m.recs[1].Accept()
	inactive(t, to, true)
	m.c.await(metadata.StatePaused)
	m.c.spoken(10)
	if n := m.c.copies(to, "1"); n != 0 {
		t.Errorf("%d packets of a pause", n)
	}
	if _, err := m.r.client.Resume(context.Background(), m.c.view().ID); err != nil {
		t.Fatal(err)
	}
	to.Update()
	hears(t, m.c, to)
	finish(t, m.c, to)
}

// An operator moves a live recording, to the next SRS or to a named one, and nothing is lost.
func TestOperatorMoves(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 3)
	ctx, id := context.Background(), m.c.view().ID
	if v, err := m.r.client.Move(ctx, id, m.recs[2].URI(";transport=udp")); err != nil || v.State != metadata.StateMoving {
		t.Errorf("%+v %v", v, err)
	}
	m.s.End()
	to := m.arrives(t, m.recs[2])
	together(t, m.c, m.s, to)
	if _, err := m.r.client.Move(ctx, id, "sip:elsewhere"); !errors.Is(err, src.ErrRequest) {
		t.Errorf("moved elsewhere: %v", err)
	}
	if _, err := m.r.client.Move(ctx, "none", ""); !errors.Is(err, src.ErrNotFound) {
		t.Errorf("moved nothing: %v", err)
	}
	if _, err := m.r.client.Move(ctx, id, ""); err != nil {
		t.Error(err)
	}
	to.End()
	back := m.arrives(t, m.recs[0])
	finish(t, m.c, back)
	if v := m.r.last(id); v.Moves != 2 {
		t.Errorf("%d moves", v.Moves)
	}
}
