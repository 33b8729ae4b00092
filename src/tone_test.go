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

func toned(side policy.Tracks) func(*setup) {
	return func(s *setup) {
		s.rule.Tone = &policy.Tone{Hertz: 1000, Level: -6, Length: 100 * time.Millisecond, Period: 300 * time.Millisecond, Side: side}
	}
}

// altered counts the packets that m has got and nobody has sent like that.
func altered(m *peer.Media) (n int) {
	for _, p := range m.Packets() {
		if p.Party == "" {
			n++
		}
	}
	return n
}

// tones waits until the caller hears the tone, or has heard twenty packets without.
func (c *call) tones(t *testing.T, want bool) {
	t.Helper()
	m := c.caller
	if !want { // what is under way may still have it
		m.AwaitFrom(c.callee.Party, c.callee.Sent(), 1)
	}
	before, heard := altered(m), len(m.Packets())
	if want {
		if !peer.Eventually(func() bool { return altered(m) > before+3 }) {
			t.Error("no tone is heard")
		}
		return
	}
	if !peer.Eventually(func() bool { return len(m.Packets()) >= heard+20 }) {
		t.Error("nothing is heard")
	}
	if n := altered(m); n > before {
		t.Errorf("%d packets with the tone", n-before)
	}
}

// The tone is heard by who is to hear it while the recording runs, and only then; the copy is without.
func TestTone(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, toned(policy.TracksCaller))
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	c.tones(t, false) // nobody records yet
	s := rec.AcceptInvite(in)
	c.await(metadata.StateRecording)
	c.tones(t, true)
	id := c.view().ID
	if _, err := r.client.Pause(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Update()
	c.tones(t, false)
	if _, err := r.client.Resume(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Update()
	c.tones(t, true)
	c.change(func(*metadata.Snapshot) {}) // no news
	c.tones(t, true)
	if altered(c.callee) > 0 || altered(s.Streams["1"]) > 0 || altered(s.Streams["2"]) > 0 {
		t.Error("the callee or the recorder hears the tone")
	}
	if _, err := r.client.Stop(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.End()
	c.tones(t, false)
	if story := r.story(id); len(story[len(story)-1].Alarms) > 0 {
		t.Errorf("%+v", story[len(story)-1])
	}
	c.end()
}

// Where the tone cannot be mixed the call goes on untouched, and the verdict and one line of the log say so.
func TestToneInAnotherCodec(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, toned(policy.TracksBoth))
	c := r.newCall()
	for _, f := range []*metadata.Flow{&c.cs.Streams[0].Caller, &c.cs.Streams[0].Callee} {
		f.Formats = []metadata.Format{{PT: 0, Name: "opus", Clock: 48000, Channels: 2}, events}
	}
	c.talk()
	c.begin()
	s := rec.Accept()
	c.await(metadata.StateRecording)
	id := c.view().ID
	c.tones(t, false)
	c.change(func(cs *metadata.Snapshot) { cs.SessionID = "x" })
	c.end()
	s.End()
	c.ended(src.Complete)
	story := r.story(id)
	if got := story[len(story)-1].Alarms; !slices.Contains(got, src.AlarmNoTone) {
		t.Errorf("alarms %v", got)
	}
	if n := strings.Count(r.log.String(), "recording tone cannot be heard"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// own counts the packets of the other party that m has got.
func own(m *peer.Media) (n int) {
	for _, p := range m.Packets() {
		if p.Party != "" {
			n++
		}
	}
	return n
}

// An announcement is heard when its time has come, once, though two recordings of the rule want it; who hears it hears
// the other party afterwards.
func TestAnnouncement(t *testing.T) {
	for _, at := range []policy.AnnounceAt{policy.AnnounceAnswer, policy.AnnounceStart} {
		t.Run(string(at), func(t *testing.T) {
			rec := newSRS(t, "srs")
			r := newRig(t, []string{rec.URI("")}, early, func(s *setup) {
				s.rule.Announce = &policy.Announcement{File: "x", PCM: make([]int16, 2400), Rate: 8000, At: at, Side: policy.TracksCaller}
			})
			c := r.newCall()
			c.cs.State = metadata.CallEarly
			c.talk()
			c.begin()
			in := rec.Expect("INVITE")
			c.tones(t, false)
			answer := func() { c.change(func(cs *metadata.Snapshot) { cs.State = metadata.CallAnswered }) }
			var s *peer.Session
			if at == policy.AnnounceAnswer {
				answer() // whether an SRS has it or not
			} else {
				s = rec.AcceptInvite(in)
				c.tones(t, false)
				answer()
			}
			heard := own(c.caller)
			if !peer.Eventually(func() bool { return altered(c.caller) == 15 }) {
				t.Fatalf("%d packets of the announcement", altered(c.caller))
			}
			if s == nil {
				s = rec.AcceptInvite(in)
			}
			before := own(c.caller)
			if !peer.Eventually(func() bool { return own(c.caller) > before+20 }) || before > heard+40 {
				t.Errorf("%d of the callee's packets were heard meanwhile, %d after it", before-heard, own(c.caller)-before)
			}
			if altered(c.caller) != 15 || altered(c.callee) > 0 {
				t.Errorf("%d packets, and %d at the callee", altered(c.caller), altered(c.callee))
			}
			c.end()
			s.End()
		})
	}
}

// Where it cannot be played the verdict says so.
func TestAnnouncementInAnotherCodec(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) {
		s.rule.Announce = &policy.Announcement{PCM: make([]int16, 2400), Rate: 8000, At: policy.AnnounceStart, Side: policy.TracksBoth}
	})
	c := r.newCall()
	c.cs.Streams[0].Callee.Formats = []metadata.Format{{PT: 0, Name: "G729", Clock: 8000}}
	c.talk()
	c.begin()
	s := rec.Accept()
	if !peer.Eventually(func() bool { return altered(c.callee) == 15 }) {
		t.Error("the callee hears nothing")
	}
	id := c.view().ID
	c.end()
	s.End()
	c.ended(src.Complete)
	story := r.story(id)
	if got := story[len(story)-1].Alarms; !slices.Contains(got, src.AlarmNoAnnouncement) {
		t.Errorf("alarms %v", got)
	}
}
