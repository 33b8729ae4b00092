package src_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// recording makes a call whose recording runs.
func recording(t *testing.T, opts ...func(*setup)) (*rig, *call, *peer.Recorder, *peer.Session) {
	t.Helper()
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, opts...)
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	hears(t, c, s)
	c.await(metadata.StateRecording)
	return r, c, rec, s
}

// finish ends the call and expects a whole recording.
func finish(t *testing.T, c *call, s *peer.Session) {
	t.Helper()
	c.end()
	s.End()
	c.ended(src.Complete)
}

// silence waits for the pause and then checks that no packet comes, for as long as the caller needs to send twenty.
func silence(t *testing.T, c *call, s *peer.Session) {
	t.Helper()
	paused := func() bool {
		streams := c.view().Streams
		return len(streams) > 1 && streams[0].Paused && streams[1].Paused
	}
	if !peer.Eventually(paused) {
		t.Fatalf("not paused: %+v", c.view().Streams)
	}
	c.spoken(5) // what left before the pause has arrived
	before := [2]int{c.copies(s, "1"), c.copies(s, "2")}
	c.spoken(20)
	if after := [2]int{c.copies(s, "1"), c.copies(s, "2")}; after != before {
		t.Errorf("packets while paused: %v after %v", after, before)
	}
}

// copies counts the call's own packets under a label: a port may have been another test's before.
func (c *call) copies(s *peer.Session, label string) (n int) {
	for _, p := range s.Streams[label].Packets() {
		if p.Call == c.cs.ID {
			n++
		}
	}
	return n
}

// spoken waits until the caller has sent n more packets.
func (c *call) spoken(n int) {
	c.r.t.Helper()
	sent := c.caller.Sent()
	if !peer.Eventually(func() bool { return c.caller.Sent() >= sent+n }) {
		c.r.t.Fatal("the caller is silent")
	}
}

func inactive(t *testing.T, s *peer.Session, want bool) {
	t.Helper()
	direction := "sendonly"
	if want {
		direction = "inactive"
	}
	if got := s.Directions(); !slices.Equal(got, []string{direction, direction}) {
		t.Errorf("offered %v, wanted %s", got, direction)
	}
}

// SDP-09, SDP-10: hold pauses by one re-INVITE with the whole description and
// the whole document; resume is the same way back.
func TestHold(t *testing.T) {
	r, c, rec, s := recording(t)
	c.hold(true)
	in := s.ExpectUpdate()
	inactive(t, s, true)
	silence(t, c, s) // before the SRS has said a word
	if got := s.Doc().Sender("1") + "|" + s.Doc().Sender("2"); got != "|sip:bob@pbx.test" {
		t.Errorf("senders on hold: %s", got)
	}
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	if v := c.await(metadata.StatePaused); !v.Streams[0].Paused || !v.Streams[1].Paused {
		t.Errorf("streams: %+v", v.Streams)
	}

	c.hold(false)
	in = s.ExpectUpdate()
	inactive(t, s, false)
	silence(t, c, s) // until the SRS has agreed (RTP-22)
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	hears(t, c, s)
	c.await(metadata.StateRecording)
	if in := rec.Maybe("INVITE", 50*time.Millisecond); in != nil {
		t.Error("more than one re-INVITE")
	}
	finish(t, c, s)
	r.hasTold("start paused resumed stop")
}

// on_hold: ignore tells of the hold in the metadata alone.
func TestHoldIgnored(t *testing.T) {
	_, c, _, s := recording(t, ignoreHold)
	c.hold(true)
	s.Update()
	inactive(t, s, false)
	if got := s.Doc().Sender("1"); got != "" {
		t.Errorf("%s sends on hold", got)
	}
	hears(t, c, s)
	c.hold(false)
	s.Update()
	finish(t, c, s)
}

// An SRS that refuses the hold re-INVITE keeps what was agreed; nothing is sent
// all the same, and the resumption needs nobody's leave.
func TestHoldRefused(t *testing.T) {
	_, c, _, s := recording(t)
	c.hold(true)
	s.ExpectUpdate().Reply(488)
	silence(t, c, s)
	c.hold(false)
	// Nothing has to be said: it is as it was agreed.
	hears(t, c, s)
	finish(t, c, s)
}

// A resumption that the SRS refuses or leaves without an answer does not cost
// the rest of the call.
func TestResumptionNotConfirmed(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		_, c, _, s := recording(t)
		c.hold(true)
		s.Update()
		c.hold(false)
		s.ExpectUpdate().Reply(500)
		hears(t, c, s)
		finish(t, c, s)
	})
	t.Run("slow", func(t *testing.T) {
		_, c, _, s := recording(t, timeout(2*time.Second))
		c.hold(true)
		s.Update()
		c.hold(false)
		in := s.ExpectUpdate()
		hears(t, c, s)
		in.Reply(200, peer.WithSDP(s.Answer()))
		in.ExpectOther("ACK")
		hears(t, c, s)
		finish(t, c, s)
	})
}

// Hold and the operator pause independently; a copy needs both to agree.
func TestOperatorPause(t *testing.T) {
	r, c, _, s := recording(t)
	ctx := context.Background()
	id := c.view().ID
	if _, err := r.client.Resume(ctx, id); !errors.Is(err, src.ErrState) {
		t.Errorf("resuming what runs: %v", err)
	}
	v, err := r.client.Pause(ctx, id)
	if err != nil || v.State != metadata.StatePaused {
		t.Fatalf("pause: %v, %v", v.State, err)
	}
	silence(t, c, s)
	s.Update()
	inactive(t, s, true)
	if _, err := r.client.Pause(ctx, id); !errors.Is(err, src.ErrState) {
		t.Errorf("pausing twice: %v", err)
	}
	c.hold(true)
	s.Update() // the metadata
	if v, err = r.client.Resume(ctx, id); err != nil || v.State != metadata.StatePaused {
		t.Errorf("resume on hold: %v, %v", v.State, err)
	}
	silence(t, c, s)
	c.hold(false)
	s.Update()
	inactive(t, s, false)
	hears(t, c, s)
	if v, _ := r.client.Recording(id); v.State != metadata.StateRecording {
		t.Errorf("state %s", v.State)
	}
	finish(t, c, s)
	if _, err := r.client.Pause(ctx, id); !errors.Is(err, src.ErrState) {
		t.Errorf("pausing what has ended: %v", err)
	}
	if _, err := r.client.Pause(ctx, "nonsense"); !errors.Is(err, src.ErrNotFound) {
		t.Errorf("pausing what is not: %v", err)
	}
}

// A pause that is asked for before an SRS has answered: what was said before it arrives after it, nothing of it.
func TestPausedBeforeAnswer(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	s := rec.Take(in)
	if _, err := r.client.Pause(context.Background(), c.view().ID); err != nil {
		t.Fatal(err)
	}
	before := c.caller.Sent()
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	s.Update()
	inactive(t, s, true)
	silence(t, c, s)
	if n := c.copies(s, "1"); n > 0 {
		t.Errorf("%d packets in the pause", n)
	}
	if _, err := r.client.Resume(context.Background(), c.view().ID); err != nil {
		t.Fatal(err)
	}
	s.Update()
	inactive(t, s, false)
	hears(t, c, s)
	if n := c.copies(s, "1"); n < before {
		t.Errorf("%d packets, said %d before the pause", n, before)
	}
	finish(t, c, s)
}
