package src_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/tests/peer"
)

func hangsUp(after time.Duration) func(*setup) {
	return func(s *setup) {
		s.rule.OnUnrecorded, s.rule.UnrecordedAfter = policy.OnUnrecordedHangUp, after
	}
}

// toldUnrecorded waits until the call's owner has been told to end it.
func (c *call) toldUnrecorded(t *testing.T) {
	t.Helper()
	if !peer.Eventually(func() bool { return strings.HasSuffix(c.notified(), "unrecorded") }) {
		t.Errorf("told %q", c.notified())
	}
}

// A call that must not go on unrecorded ends: when nobody takes its recording, and when that is lost for too long.
func TestUnrecordedCallsEnd(t *testing.T) {
	t.Run("nobody takes it", func(t *testing.T) {
		t.Parallel()
		rec := newSRS(t, "srs", "udp")
		r := newRig(t, []string{rec.URI(";transport=udp")}, hangsUp(time.Minute))
		c := r.newCall()
		if c.begin() {
			t.Error("the answer waits")
		}
		in := rec.Expect("INVITE")
		in.Reply(486)
		in.ExpectOther("ACK")
		c.toldUnrecorded(t)
		c.end()
	})
	t.Run("nobody answers", func(t *testing.T) {
		t.Parallel()
		rec := newSRS(t, "srs", "udp")
		r := newRig(t, []string{rec.URI(";transport=udp")}, hangsUp(200*time.Millisecond), timeout(time.Minute))
		c := r.newCall()
		c.begin()
		in := rec.Expect("INVITE")
		in.Reply(180)
		c.toldUnrecorded(t)
		c.end()
		cancelled(in)
	})
	t.Run("lost, nobody takes it over", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 1, hangsUp(300*time.Millisecond))
		m.s.Dialog.Bye()
		in := m.recs[0].Expect("INVITE")
		in.Reply(503)
		in.ExpectOther("ACK")
		m.c.toldUnrecorded(t)
		m.c.end()
	})
	t.Run("lost, the recording ends", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 1, hangsUp(time.Minute), stays)
		m.s.Dialog.Bye()
		m.c.toldUnrecorded(t)
		m.c.end()
	})
	t.Run("no other has a say", func(t *testing.T) {
		t.Parallel()
		one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
		r := newRig(t, []string{one.URI("")}, also(two.URI(""), func(s *setup) {
			hangsUp(time.Minute)(s)
			s.rule.Required, s.rule.Demanded = true, []string{"main"}
		}))
		c := r.newCall()
		c.begin()
		a := one.Accept()
		in := two.Expect("INVITE")
		in.Reply(486)
		in.ExpectOther("ACK")
		c.of("analytics", metadata.StateEnded)
		c.of("main", metadata.StateRecording)
		c.end()
		a.End()
		c.of("main", metadata.StateEnded)
		if got := c.notified(); strings.Contains(got, "unrecorded") {
			t.Errorf("told %q", got)
		}
	})
}

// A call goes on that is recorded again in time, and one whose recording somebody has stopped or paused.
func TestUnrecordedCallsGoOn(t *testing.T) {
	t.Run("moved in time", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2, hangsUp(5*time.Second))
		m.s.Dialog.Bye()
		to := m.arrives(t, m.recs[1])
		finish(t, m.c, to)
		m.c.hasBeenTold("recording moving recording ended")
	})
	t.Run("paused while it moves", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 1, hangsUp(200*time.Millisecond), func(s *setup) { s.round = 100 * time.Millisecond })
		id := m.c.view().ID
		if _, err := m.r.client.Pause(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		m.s.Update()
		m.s.Dialog.Bye()
		refuse := func() {
			in := m.recs[0].Expect("INVITE")
			in.Reply(503)
			in.ExpectOther("ACK")
		}
		for range 4 { // the third comes when the limit would be over, the fourth later
			refuse()
		}
		if got := m.c.notified(); strings.Contains(got, "unrecorded") {
			t.Errorf("told %q", got)
		}
		if _, err := m.r.client.Resume(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		m.c.toldUnrecorded(t)
		m.c.end()
		for in := m.recs[0].Maybe("INVITE", 0); in != nil; in = m.recs[0].Maybe("INVITE", 0) {
			in.Reply(503)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 1, hangsUp(time.Minute))
		if _, err := m.r.client.Pause(context.Background(), m.c.view().ID); err != nil {
			t.Fatal(err)
		}
		m.s.Update()
		if _, err := m.r.client.Stop(context.Background(), m.c.view().ID); err != nil {
			t.Fatal(err)
		}
		m.s.End()
		m.c.await(metadata.StateEnded)
		m.c.end()
		if got := m.c.notified(); strings.Contains(got, "unrecorded") {
			t.Errorf("told %q", got)
		}
	})
}
