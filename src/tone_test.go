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

// tones waits until m hears the tone, or has heard twenty packets without.
func tones(t *testing.T, m *peer.Media, want bool) {
	t.Helper()
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
	tones(t, c.caller, false) // nobody records yet
	s := rec.AcceptInvite(in)
	c.await(metadata.StateRecording)
	tones(t, c.caller, true)
	id := c.view().ID
	if _, err := r.client.Pause(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Update()
	tones(t, c.caller, false)
	if _, err := r.client.Resume(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Update()
	tones(t, c.caller, true)
	c.change(func(*metadata.Snapshot) {}) // no news
	tones(t, c.caller, true)
	if altered(c.callee) > 0 || altered(s.Streams["1"]) > 0 || altered(s.Streams["2"]) > 0 {
		t.Error("the callee or the recorder hears the tone")
	}
	if _, err := r.client.Stop(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.End()
	tones(t, c.caller, false)
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
	tones(t, c.caller, false)
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
