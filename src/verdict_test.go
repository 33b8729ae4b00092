package src_test

import (
	"context"
	"slices"
	"testing"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// last is the verdict on a recording that has ended.
func (r *rig) last(id string) src.Verdict {
	r.t.Helper()
	ended := func() bool {
		all := r.story(id)
		return len(all) > 0 && all[len(all)-1].View.Result != ""
	}
	if !peer.Eventually(ended) {
		r.t.Fatalf("no verdict on %s: %+v", id, r.story(id))
	}
	all := r.story(id)
	return all[len(all)-1]
}

// A recording is told of three times; the last time with every packet and the
// hold as a gap.
func TestVerdictOfARecording(t *testing.T) {
	r, c, _, s := recording(t)
	c.hold(true)
	s.Update()
	c.await(metadata.StatePaused)
	c.hold(false)
	s.Update()
	c.await(metadata.StateRecording)
	hears(t, c, s)
	finish(t, c, s)

	story := r.story(c.view().ID)
	if len(story) != 3 || !story[0].Taken.IsZero() || story[1].Taken.IsZero() || story[1].View.Result != "" {
		t.Fatalf("told: %+v", story)
	}
	v := r.last(c.view().ID)
	if v.View.Result != src.Complete || v.View.Rule != "all" || v.Answered.IsZero() || v.Recorded <= 0 || len(v.Streams) != 2 ||
		v.Recorded > v.View.Ended.Sub(v.Taken) {
		t.Errorf("%+v", v)
	}
	for _, st := range v.Streams {
		var dropped uint64
		for _, n := range st.DroppedBy {
			dropped += n
		}
		if st.PacketsIn != st.PacketsCopied+st.Dropped || dropped != st.Dropped || st.PacketsCopied == 0 || st.Lost != 0 ||
			st.First.IsZero() || !st.Last.After(st.First) {
			t.Errorf("%+v", st)
		}
		if len(st.Gaps) == 0 || st.Gaps[0].Cause != "hold" || st.Gaps[0].To.IsZero() {
			t.Errorf("gaps of %s: %+v", st.Label, st.Gaps)
		}
	}
}

// Whoever was to be recorded and is not has a verdict too.
func TestVerdictWithoutARecording(t *testing.T) {
	t.Run("encrypted", func(t *testing.T) {
		r := newRig(t, []string{"sip:127.0.0.7:9"})
		c := r.newCall()
		c.cs.Streams[0].Secure = true
		c.begin()
		c.ended(src.Refused)
		if v := r.last(c.view().ID); !v.Taken.IsZero() || v.View.Reason == "" || v.Alarms != nil {
			t.Errorf("%+v", v)
		}
	})
	t.Run("closing", func(t *testing.T) {
		r := newRig(t, []string{"sip:127.0.0.7:9"}, required)
		if err := r.client.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		c := r.newCall()
		c.begin()
		if len(r.verdicts) != 1 {
			t.Fatalf("%+v", r.verdicts)
		}
		v := r.verdicts[0]
		if v.View.CallID != c.cs.ID || v.View.Result != src.Failed || !v.Required || v.View.ID == "" || v.View.Ended.IsZero() {
			t.Errorf("%+v", v)
		}
	})
	t.Run("not wanted", func(t *testing.T) {
		r := newRig(t, []string{"sip:127.0.0.7:9"}, func(s *setup) { s.rule.Recorder = policy.NoRecorder })
		c := r.newCall()
		c.begin()
		c.end()
		if err := r.client.Close(context.Background()); err != nil || len(r.verdicts) != 0 {
			t.Errorf("%v %+v", err, r.verdicts)
		}
	})
}

// An SRS that takes the session and listens nowhere has recorded nothing.
func TestVerdictOfADeafRecorder(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	s := rec.Take(in)
	for _, st := range s.Streams {
		st.Close() // its port stays in the answer
	}
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	c.await(metadata.StateRecording)
	c.spoken(20)
	c.end()
	s.End()
	c.await(metadata.StateEnded)
	v := r.last(c.view().ID)
	if v.View.Result == src.Complete || !slices.Contains(v.Alarms, src.AlarmRecorderDeaf) || v.Streams[0].Unreachable < 3 {
		t.Errorf("%+v", v)
	}
	if n := r.metric(t, "sidetrack_recording_alarms_total"); n != 1 {
		t.Errorf("%v alarms counted", n)
	}
}
