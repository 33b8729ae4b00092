package src_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

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

// What was said before a pause is withheld as long as that lasts. With the call's end in it that is missing, and it is not
// the SRS that was deaf.
func TestVerdictOfWithheldWords(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	c.talk()
	c.spoken(10)
	c.quiet()
	if _, err := r.client.Pause(context.Background(), c.view().ID); err != nil {
		t.Fatal(err)
	}
	s := rec.AcceptInvite(in)
	c.await(metadata.StatePaused)
	c.end()
	s.End()
	v := r.last(c.ended(src.Partial).ID)
	if len(v.Alarms) != 0 || !strings.Contains(v.View.Reason, "withheld") {
		t.Errorf("%s, alarms %v", v.View.Reason, v.Alarms)
	}
	for i, st := range v.Streams {
		if said := []*peer.Media{c.caller, c.callee}[i].Sent(); st.Lost != 0 || st.DroppedBy["withheld"] != uint64(said) {
			t.Errorf("%d packets were said: %+v", said, st)
		}
	}
}

// First words that found no room before an SRS answered are missing: the verdict says so, and the SRS hears of it.
func TestVerdictOfALateAnswer(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.recorder.Buffer = 100 * time.Millisecond })
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	c.talk()
	in.Reply(180)
	if !peer.Eventually(func() bool { st := c.view().Streams; return len(st) == 2 && st[0].Dropped > 0 && st[1].Dropped > 0 }) {
		t.Fatalf("nothing was dropped: %+v", c.view().Streams)
	}
	c.quiet()
	s := rec.AcceptInvite(in)
	s.Update()
	if doc := string(s.Doc().Raw); strings.Count(doc, `cause="lost"`) != 2 {
		t.Errorf("the SRS is not told:\n%s", doc)
	}
	c.end()
	s.End()
	v := r.last(c.ended(src.Partial).ID)
	if !strings.Contains(v.View.Reason, "before an SRS took the session") || v.Moves != 0 {
		t.Errorf("%+v", v)
	}
	for _, st := range v.Streams {
		if st.Lost == 0 || len(st.Gaps) != 1 || st.Gaps[0].Cause != "lost" || st.Gaps[0].Packets != st.Lost || !st.Gaps[0].From.Equal(v.View.Started) {
			t.Errorf("%+v", st)
		}
	}
}
