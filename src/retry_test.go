package src_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

func retrying(s *setup) { s.recorder.Retry = true }

// waiting is a call whose two SRSs have just refused its recording; one of them may be well later.
func waiting(t *testing.T, opts ...func(*setup)) (*rig, *call, *peer.Recorder) {
	t.Helper()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{closedPort(t, "tcp"), rec.URI(";transport=udp")}, append([]func(*setup){retrying}, opts...)...)
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	c.talk() // all of it is to be recorded
	in.Reply(503)
	r.hasTold("waiting")
	if v := c.view(); v.State != metadata.StateStarting || len(v.Attempts) != 2 || !strings.HasPrefix(v.Reason, "no SRS has taken it yet") {
		t.Errorf("%s (%s) after %+v", v.State, v.Reason, v.Attempts)
	}
	if n := r.metric(t, "sidetrack_recordings_waiting"); n != 1 {
		t.Errorf("%v sessions wait", n)
	}
	return r, c, rec
}

// Recorders that are all down when a call begins have it as soon as one of them is up, and all that was said.
func TestRetriedWhileTheCallLasts(t *testing.T) {
	t.Parallel()
	r, c, rec := waiting(t)
	s := rec.Accept()
	c.await(metadata.StateRecording)
	c.spoken(30)
	c.quiet()
	spokenWhole(t, c, s)
	if n := r.metric(t, "sidetrack_recordings_waiting"); n != 0 {
		t.Errorf("%v sessions wait", n)
	}
	c.end()
	s.End()
	v := c.ended(src.Complete)
	if v.Reason != "the call ended" {
		t.Errorf("reason: %s", v.Reason)
	}
	r.hasTold("waiting start stop")
	if n := len(v.Attempts); n != 4 || v.Attempts[3].Code != 200 {
		t.Errorf("attempts: %+v", v.Attempts)
	}
}

// What was said longer ago than is kept is missing, and the verdict says so.
func TestRetriedTooLate(t *testing.T) {
	t.Parallel()
	r, c, rec := waiting(t, func(s *setup) { s.recorder.Buffer = 40 * time.Millisecond })
	in := rec.Expect("INVITE")
	if !peer.Eventually(func() bool { st := c.view().Streams; return len(st) == 2 && st[0].Dropped > 0 && st[1].Dropped > 0 }) {
		t.Fatalf("nothing was dropped: %+v", c.view().Streams)
	}
	s := rec.AcceptInvite(in)
	c.await(metadata.StateRecording)
	c.end()
	s.End()
	v := c.ended(src.Partial)
	if !strings.Contains(v.Reason, "before an SRS took the session") {
		t.Errorf("reason: %s", v.Reason)
	}
	for _, st := range r.last(v.ID).Streams {
		if len(st.Gaps) == 0 || st.Gaps[0].Cause != "lost" || !st.Gaps[0].From.Equal(v.Started) || st.Gaps[0].Packets == 0 {
			t.Errorf("label %s: gaps %+v", st.Label, st.Gaps)
		}
	}
}

// Nobody takes it to the end: that is told then, with all that was tried.
func TestRetriedInVain(t *testing.T) {
	t.Parallel()
	r, c, rec := waiting(t)
	rec.Expect("INVITE").Reply(500)
	c.quiet()
	if !peer.Eventually(func() bool { return len(c.view().Attempts) == 4 }) {
		t.Errorf("attempts: %+v", c.view().Attempts)
	}
	c.end()
	if in := rec.Maybe("INVITE", 5*time.Second); in != nil { // the last round
		in.Reply(500)
	}
	v := c.ended(src.Failed)
	if !strings.Contains(v.Reason, "500") || !strings.Contains(v.Reason, "503") {
		t.Errorf("reason: %s", v.Reason)
	}
	r.hasTold("waiting failed")
	if n := r.metric(t, "sidetrack_recordings_waiting"); n != 0 {
		t.Errorf("%v sessions wait", n)
	}
}

// SRSs that are well and say no are not asked again, and a call that must be recorded does not wait.
func TestNotRetried(t *testing.T) {
	for _, tt := range []struct {
		name string
		code int
		opts []func(*setup)
	}{
		{"refused", 403, nil},
		{"required", 503, []func(*setup){required}},
		{"switched off", 503, []func(*setup){func(s *setup) { s.recorder.Retry = false }}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := newSRS(t, "srs", "udp")
			r := newRig(t, []string{rec.URI(";transport=udp")}, append([]func(*setup){retrying}, tt.opts...)...)
			c := r.newCall()
			c.begin()
			rec.Expect("INVITE").Reply(tt.code)
			c.ended(src.Failed)
			r.hasTold("failed")
		})
	}
}

// A call that ends while its recording waits has the SRSs asked once more at once, however long the wait: it is recorded
// all the same.
func TestRetriedAtTheEndOfALongWait(t *testing.T) {
	t.Parallel()
	_, c, rec := waiting(t, func(s *setup) { s.round = time.Hour })
	c.spoken(10)
	c.quiet()
	c.end()
	s := rec.Accept()
	spokenWhole(t, c, s)
	s.End()
	c.ended(src.Complete)
}

// A recorder that waits keeps nobody from hearing that another one records.
func TestRetriedBesideARecording(t *testing.T) {
	t.Parallel()
	rec, other := newSRS(t, "srs", "udp"), newSRS(t, "other", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")}, retrying, func(s *setup) {
		s.rule.Also = []string{"second"}
		s.further = append(s.further, src.Recorder{Name: "second", SRS: []string{other.URI(";transport=udp")}, Timeout: 30 * time.Second})
	})
	c := r.newCall()
	c.begin()
	rec.Expect("INVITE").Reply(503)
	s := other.Accept()
	c.hasBeenTold("recording")
	again := rec.AcceptInvite(rec.Expect("INVITE"))
	if v := c.of("main", metadata.StateRecording); v.Reason != "" {
		t.Errorf("it records, and says %q", v.Reason)
	}
	c.end()
	s.End()
	again.End()
}

// What must be recorded is decided before its call is answered, not after a wait; begun anew by a party in mid-call it waits
// as any other does.
func TestRetriedWhenBegunByHand(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")}, retrying, required, func(s *setup) {
		s.round, s.rule.Controls = 50*time.Millisecond, &policy.Controls{Signalling: true}
	})
	c := r.newCall()
	c.begin()
	s := rec.Accept()
	c.await(metadata.StateRecording)
	for _, action := range []policy.Action{policy.ActionStop, policy.ActionStart} {
		if !r.client.Act(c.cs.ID, metadata.Caller, policy.Wish{Action: action}) {
			t.Fatalf("%s: nobody is concerned", action)
		}
	}
	s.End()
	in := rec.Expect("INVITE")
	in.Reply(503)
	in.ExpectOther("ACK")
	s = rec.Accept()
	c.of("main", metadata.StateRecording)
	c.end()
	s.End()
	c.of("main", metadata.StateEnded)
	r.hasTold("start stop waiting start stop")
}
