package src_test

import (
	"context"
	"errors"
	"regexp"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// state waits until an SRS of the recorder is seen in a state.
func (r *rig) state(index int, want src.SRSState) src.SRSView {
	r.t.Helper()
	if !peer.Eventually(func() bool { return r.client.SRSs()[index].State == want }) {
		r.t.Fatalf("%+v, wanted %s", r.client.SRSs(), want)
	}
	return r.client.SRSs()[index]
}

// SRSs are asked by OPTIONS without any call; one that does not answer as it should is asked last.
func TestProbes(t *testing.T) {
	t.Parallel()
	first, second := newSRS(t, "first", "udp"), newSRS(t, "second", "udp")
	second.AutoReply("OPTIONS", 405)
	r := newRig(t, []string{first.URI(""), second.URI("")}, func(s *setup) {
		s.recorder.Probe = src.Probe{Interval: 100 * time.Millisecond}
	})
	in := first.Expect("OPTIONS")
	if in.ToTag() != "" || in.Get("Contact") == "" {
		t.Errorf("OPTIONS within a dialog, or without Contact: %s", in.Start)
	}
	in.Reply(503)
	r.state(0, src.SRSDown)
	r.state(1, src.SRSFit)
	c := r.newCall()
	c.begin()
	s := second.Accept()
	c.await(metadata.StateRecording)
	finish(t, c, s)
	first.AutoReply("OPTIONS", 200)
	r.state(0, src.SRSFit)
	if err := reload(r.client, []src.Recorder{{Name: "main", SRS: []string{first.URI("")}}}); err != nil {
		t.Fatal(err)
	}
	if !peer.Eventually(func() bool { // those under way
		return second.Maybe("OPTIONS", 0) == nil && first.Maybe("OPTIONS", 250*time.Millisecond) == nil
	}) {
		t.Error("asked although the new configuration has no probes")
	}
}

// Which codes are a sign of life is the operator's.
func TestProbeCodes(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	rec.AutoReply("OPTIONS", 404)
	r := newRig(t, []string{rec.URI("")}, func(s *setup) {
		s.recorder.Probe = src.Probe{Interval: 50 * time.Millisecond, Codes: regexp.MustCompile("200")}
	})
	r.state(0, src.SRSDown)
}

// A drained SRS keeps what it has and gets nothing new.
func TestDrain(t *testing.T) {
	ctx := context.Background()
	first, second := newSRS(t, "first"), newSRS(t, "second")
	r := newRig(t, []string{first.URI(""), second.URI("")}, func(s *setup) { s.ports = 100 })
	c := r.newCall()
	c.talk()
	c.begin()
	s := first.Accept()
	c.await(metadata.StateRecording)
	if v, err := r.client.Drain(ctx, "main", 0, true); err != nil || v.State != src.SRSDrained || v.Sessions != 1 {
		t.Errorf("%+v %v", v, err)
	}
	hears(t, c, s)
	d := r.newCall()
	d.begin()
	other := second.Accept()
	finish(t, d, other)
	if _, err := r.client.Move(ctx, c.view().ID, ""); err != nil {
		t.Error(err)
	}
	s.End()
	there := second.Accept()
	hears(t, c, there)
	if v := r.client.SRSs(); v[0].Sessions != 0 || v[1].Sessions != 1 {
		t.Errorf("%+v", v)
	}
	finish(t, c, there)

	if _, err := r.client.Drain(ctx, "main", 1, true); err != nil {
		t.Error(err)
	}
	e := r.newCall()
	e.begin()
	e.ended(src.Failed)
	e.end()
	if _, err := r.client.Drain(ctx, "main", 0, false); err != nil {
		t.Error(err)
	}
	f := r.newCall()
	f.begin()
	finish(t, f, first.Accept())
	for _, i := range []int{-1, 2} {
		if _, err := r.client.Drain(ctx, "main", i, true); !errors.Is(err, src.ErrNotFound) {
			t.Errorf("drained SRS %d: %v", i, err)
		}
	}
}

// The strategies, as the SRSs see them.
func TestStrategies(t *testing.T) {
	run := func(t *testing.T, strategy src.Strategy, weights []int, calls int, keep bool) (taken [3]int) {
		recs := []*peer.Recorder{newSRS(t, "a"), newSRS(t, "b"), newSRS(t, "c")}
		r := newRig(t, []string{recs[0].URI(""), recs[1].URI(""), recs[2].URI("")}, func(s *setup) {
			s.recorder.Strategy, s.recorder.Weights, s.ports = strategy, weights, 200
		})
		for _, rec := range recs {
			rec.AcceptAll()
		}
		var live []*call
		for range calls {
			c := r.newCall()
			c.begin()
			v := c.await(metadata.StateRecording)
			for i, rec := range recs {
				if v.SRS == rec.URI("") {
					taken[i]++
				}
			}
			if live = append(live, c); !keep {
				c.end()
				c.ended(src.Complete)
			}
		}
		if keep {
			for _, c := range live {
				c.end()
				c.ended(src.Complete)
			}
		}
		return taken
	}
	for name, tt := range map[string]struct {
		strategy src.Strategy
		weights  []int
		keep     bool
		fits     func([3]int) bool
	}{
		"ordered":           {src.StrategyOrdered, nil, true, func(n [3]int) bool { return n == [3]int{6, 0, 0} }},
		"round-robin":       {src.StrategyRoundRobin, nil, false, func(n [3]int) bool { return n == [3]int{2, 2, 2} }},
		"weighted":          {src.StrategyWeighted, []int{0, 1, 0}, false, func(n [3]int) bool { return n == [3]int{0, 6, 0} }},
		"least, kept":       {src.StrategyLeastSessions, nil, true, func(n [3]int) bool { return n == [3]int{2, 2, 2} }},
		"least, one by one": {src.StrategyLeastSessions, nil, false, func(n [3]int) bool { return n == [3]int{6, 0, 0} }},
		"hash":              {src.StrategyHash, nil, false, func(n [3]int) bool { return n[0]+n[1]+n[2] == 6 && n[0] < 6 && n[1] < 6 && n[2] < 6 }},
	} {
		t.Run(name, func(t *testing.T) {
			if n := run(t, tt.strategy, tt.weights, 6, tt.keep); !tt.fits(n) {
				t.Errorf("%v", n)
			}
		})
	}
}
