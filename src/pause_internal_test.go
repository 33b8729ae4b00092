package src

import (
	"net/netip"
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// A stream that a call gets, or gets back, while its recording is paused or masked has a tap from which nothing leaves
// before it has been told so: a packet that came just then would be kept, and sent in spite of the pause.
func TestTapsBeginPaused(t *testing.T) {
	engine, err := forker.New(forker.Config{Listen: netip.MustParseAddr("127.0.0.1"), PortMin: 19800, PortMax: 19899, Drain: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	held, gone := &stream{party: metadata.Caller, held: true}, &stream{party: metadata.Caller, gone: true}
	for name, c := range map[string]struct {
		is     *Session
		st     *stream
		begins bool // paused
	}{
		"recorded":            {&Session{}, &stream{party: metadata.Caller}, false},
		"paused":              {&Session{paused: true}, &stream{party: metadata.Callee}, true},
		"paused, mixed":       {&Session{paused: true}, &stream{party: metadata.Both}, true},
		"masked":              {&Session{masks: masks{true, true}}, &stream{party: metadata.Caller}, true},
		"one of a mix masked": {&Session{masks: masks{caller: true}}, &stream{party: metadata.Both}, true},
		"held":                {&Session{onHold: policy.OnHoldPause}, held, true},
		"held, no matter":     {&Session{onHold: policy.OnHoldIgnore}, held, false},
		"gone":                {&Session{}, gone, true},
	} {
		relay := engine.Open()
		if err := relay.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		st := *c.st
		c.is.recorder, c.is.streams.all = &Recorder{}, []*stream{&st}
		err := c.is.streams.fork(relay, forker.TapConfig{}, func(metadata.PartyRole) string { return "x" }, c.is.hides)
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case st.gone:
			if st.tap != nil {
				t.Errorf("%s: there is a tap", name)
			}
		default:
			if got := st.tap.Stats().Paused; got != c.begins || st.paused != c.begins {
				t.Errorf("%s: the tap begins paused: %v, known as %v", name, got, st.paused)
			}
			c.is.steerTaps()
			if got, want := st.tap.Stats().Paused, !c.is.wanted(&st); got != want {
				t.Errorf("%s: steered, the tap is paused: %v", name, got)
			}
		}
		relay.Close()
	}
}
