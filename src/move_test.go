package src_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

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
			m.r.hasTold("start moved stop")
			m.c.hasBeenTold("recording moving recording ended")
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

// Killed in mid-call, the SRS is replaced by what its host says: it is never asked otherwise (Recorder.Check is 0).
func TestKilled(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			m := midCall(t, network, 2)
			died := time.Now()
			m.kill()
			in := m.recs[1].Expect("INVITE")
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
			if doc := string(to.Doc().Raw); strings.Contains(doc, "<gaps") {
				t.Errorf("nothing is missing, and yet:\n%s", doc)
			}
			// RFC 7865 §6.4.1: this recording session has the call from the overlap on.
			if from := associated(t, to); from.After(died) || !from.After(associated(t, m.s)) {
				t.Errorf("the call is tied to the second SRS from %v, to the first from %v; that died at %v", from, associated(t, m.s), died)
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
	told := string(to.Doc().Raw)
	hears(t, m.c, to)
	m.c.end()
	to.End()
	v := m.c.ended(src.Partial)
	for i, st := range m.r.last(v.ID).Streams {
		if st.AtRisk == 0 || st.Lost > st.AtRisk || len(st.Gaps) == 0 || st.Gaps[0].Cause != "lost" || st.Gaps[0].To.IsZero() ||
			st.Gaps[0].Packets != st.AtRisk {
			t.Errorf("%+v", st)
			continue
		}
		gap := fmt.Sprintf(`<gap stream_id="%s" cause="lost" from="%s"`, to.Doc().Streams[i].ID, st.Gaps[0].From.UTC().Format("2006-01-02T15:04:05.000Z"))
		if !strings.Contains(told, gap) || !strings.Contains(told, fmt.Sprintf(`packets="%d"/>`, st.AtRisk)) {
			t.Errorf("no %s with %d packets in\n%s", gap, st.AtRisk, told)
		}
	}
}

// associated is when the SRS's recording session began to have the call.
func associated(t *testing.T, s *peer.Session) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s.Doc().SessionRec[0].Associated)
	if err != nil {
		t.Fatal(err)
	}
	return at
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
	for line := range strings.Lines(m.r.log.String()) {
		if strings.Contains(line, "SRS did not take the session") && (strings.Count(line, " srs=") != 1 || strings.Count(line, " sip_call_id=") != 1) {
			t.Errorf("of the one that was asked, or of the one that was lost? %s", line)
		}
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

// A pause holds over a move: what is said in it reaches neither SRS, and nobody is told that it is recorded. One that begins
// or ends while nobody has the session is told of, too.
func TestPauseHoldsOverAMove(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	ctx, id := context.Background(), m.c.view().ID
	if _, err := m.r.client.Pause(ctx, id); err != nil {
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
	m.r.hasTold("start paused moved")
	m.c.hasBeenTold("recording paused")
	if _, err := m.r.client.Resume(ctx, id); err != nil {
		t.Fatal(err)
	}
	to.Update()
	hears(t, m.c, to)
	m.r.hasTold("start paused moved resumed")
	m.c.hasBeenTold("recording paused recording")

	to.Dialog.Bye()
	in := m.recs[0].Expect("INVITE")
	m.c.hasBeenTold("recording paused recording moving")
	if _, err := m.r.client.Pause(ctx, id); err != nil {
		t.Fatal(err)
	}
	m.c.hasBeenTold("recording paused recording moving paused")
	if _, err := m.r.client.Resume(ctx, id); err != nil {
		t.Fatal(err)
	}
	m.c.hasBeenTold("recording paused recording moving paused moving")
	back := m.recs[0].AcceptInvite(in)
	hears(t, m.c, back)
	finish(t, m.c, back)
	m.r.hasTold("start paused moved resumed moved stop")
	if n := m.r.metric(t, "sidetrack_recording_pauses_total"); n != 1 {
		t.Errorf("%v pauses counted", n)
	}
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
