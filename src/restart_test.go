package src_test

import (
	"testing"
	"time"

	"sidetrack/src"
	"sidetrack/tests/peer"
)

// An SRS that was restarted sends RTCP again, for whoever has our ports now, and answers OPTIONS: that is no sign of life
// of our session. What went to it meanwhile is told as at risk, or goes to the next one again where it is kept.
func TestRestartBehindReusedPorts(t *testing.T) {
	// restarted gives a call whose SRS has reported twice, and which of the packets on label 1 it had then.
	restarted := func(t *testing.T, opts ...func(*setup)) (*moved, []peer.Packet) {
		t.Helper()
		m := midCall(t, "udp", 2, append(opts, func(s *setup) { s.recorder.Check = time.Hour })...)
		m.c.spoken(50) // past the quiet time after the start
		m.c.quiet()    // so that it is clear what the SRS had when it reported
		m.s.Streams["1"].AwaitFrom("caller", m.c.caller.Sent()-1, 1)
		for range 2 {
			m.report(t, "1")
		}
		if !peer.Eventually(func() bool { return m.c.view().Streams[0].SRSReports == 2 }) {
			t.Fatal("the reports have not been heard")
		}
		had := m.s.Streams["1"].Packets()
		m.c.talk()
		m.reportAs(t, "1", 2)
		return m, had
	}
	t.Run("nothing is kept", func(t *testing.T) {
		t.Parallel()
		m, had := restarted(t, forgets)
		in := m.recs[0].Expect("OPTIONS")
		foreign := len(m.s.Streams["1"].Packets()) - len(had)
		in.Reply(481)
		to := m.arrives(t, m.recs[1])
		m.c.end()
		to.End()
		v := m.c.ended(src.Partial)
		st := m.r.last(v.ID).Streams[0]
		if int(st.AtRisk) < foreign || foreign == 0 || len(st.Gaps) != 1 || st.Gaps[0].Cause != "lost" || st.RTCPIn != 2 {
			t.Errorf("%d packets went to the new process: %+v", foreign, st)
		}
	})
	t.Run("what was said is kept", func(t *testing.T) {
		t.Parallel()
		m, had := restarted(t)
		m.recs[0].Expect("OPTIONS").Reply(481)
		to := m.arrives(t, m.recs[1])
		m.c.quiet()
		heard := map[int]bool{}
		for _, p := range had {
			heard[p.Number] = true
		}
		missing := func() (n int) {
			then := numbers(to, "1")
			for i := had[0].Number; i <= m.c.caller.Sent(); i++ {
				if !heard[i] && !then[i] {
					n++
				}
			}
			return n
		}
		if !peer.Eventually(func() bool { return missing() == 0 }) {
			t.Errorf("%d packets are in neither recording", missing())
		}
		finish(t, m.c, to)
	})
}

// Recorders that answer OPTIONS without looking for the dialog are asked about one that has never been, once there is a
// doubt; who does not deny that one is asked by re-INVITE.
func TestAnswersThatProveNothing(t *testing.T) {
	for name, tt := range map[string]struct {
		sham, proof int // answers to OPTIONS of no dialog, and to the re-INVITE; 0: there must be none
	}{
		"knows its dialogs":             {sham: 481},
		"does not, and has the session": {sham: 200, proof: 200},
		"does not, and was restarted":   {sham: 200, proof: 481},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := midCall(t, "tcp", 2, func(s *setup) { s.recorder.Check = time.Hour })
			m.c.spoken(75) // past the quiet time after the start
			m.recs[0].DropConnections()
			ours := m.recs[0].Expect("OPTIONS")
			ours.Reply(200)
			sham := m.recs[0].Expect("OPTIONS")
			if sham.CallID() != ours.CallID() || sham.ToTag() == ours.ToTag() || sham.ToTag() == "" {
				t.Errorf("To: %s, then %s", ours.Get("To"), sham.Get("To"))
			}
			sham.Reply(tt.sham)
			if tt.proof == 0 {
				hears(t, m.c, m.s)
				m.c.spoken(75)
				if in := m.recs[0].Maybe("OPTIONS", 0); in != nil {
					t.Error("asked again although nothing has happened")
				}
				finish(t, m.c, m.s)
				return
			}
			proof := m.s.ExpectUpdate()
			if tt.proof == 200 {
				proof.Reply(200, peer.WithSDP(m.s.Answer()))
				proof.ExpectOther("ACK")
				hears(t, m.c, m.s)
				finish(t, m.c, m.s)
				return
			}
			proof.Reply(tt.proof)
			to := m.arrives(t, m.recs[1])
			together(t, m.c, m.s, to)
			finish(t, m.c, to)
		})
	}
}
