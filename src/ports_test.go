package src_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/src"
)

// occupy takes all ports that are left until free is called.
func (r *rig) occupy(t *testing.T) (free func()) {
	t.Helper()
	var all []*forker.Relay
	for {
		relay := r.media.Open()
		all = append(all, relay)
		if relay.SetStreams(1) != nil {
			break
		}
	}
	free = func() {
		for _, relay := range all {
			relay.Close()
		}
	}
	t.Cleanup(free)
	return free
}

func ports(n int) func(*setup) {
	return func(s *setup) { s.ports, s.round = n, 100*time.Millisecond }
}

// A call for whose copies there are no ports is recorded as soon as there are some; that its beginning is missing the
// verdict says.
func TestNoPortsAtTheStart(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")}, retrying, ports(16))
	c := r.newCall()
	free := r.occupy(t)
	c.talk()
	c.begin()
	r.hasTold("waiting")
	if v := c.view(); v.State != metadata.StateStarting || !strings.Contains(v.Reason, "no media ports free") || len(v.Attempts) != 0 {
		t.Errorf("%s (%s) after %+v", v.State, v.Reason, v.Attempts)
	}
	c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" }) // begins nothing beside what waits
	free()
	s := rec.Accept()
	hears(t, c, s)
	c.end()
	s.End()
	v := c.ended(src.Partial)
	if !strings.Contains(v.Reason, "no ports") {
		t.Errorf("reason: %s", v.Reason)
	}
	r.hasTold("waiting start stop")
	for _, st := range r.last(v.ID).Streams {
		if len(st.Gaps) != 1 || st.Gaps[0].Cause != "lost" || st.Gaps[0].From.Before(v.Started) || !st.Gaps[0].To.After(st.Gaps[0].From) {
			t.Errorf("label %s: gaps %+v", st.Label, st.Gaps)
		}
	}
}

// Where none come free before the call ends, or it is not to be tried again, that is why it was not recorded.
func TestNoPortsAtAll(t *testing.T) {
	for name, tt := range map[string]struct {
		opts []func(*setup)
		told string
	}{
		"to the end": {[]func(*setup){retrying}, "waiting failed"},
		"no retry":   {nil, "failed"},
		"required":   {[]func(*setup){retrying, required}, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, []string{closedPort(t, "udp")}, append(tt.opts, ports(16))...)
			c := r.newCall()
			r.occupy(t)
			c.begin()
			first, _, _ := strings.Cut(tt.told, " ")
			r.hasTold(first)
			c.end()
			if v := c.ended(src.Failed); !strings.Contains(v.Reason, "no media ports free") {
				t.Errorf("reason: %s", v.Reason)
			}
			r.hasTold(tt.told)
		})
	}
}

// A stream that appears when there are no ports for its copy is copied once there are, without waiting for another change.
func TestNoPortsInMidCall(t *testing.T) {
	t.Parallel()
	r, c, _, s := recording(t, ports(32))
	if err := c.relay.SetStreams(2); err != nil {
		t.Fatal(err)
	}
	free := r.occupy(t)
	c.change(func(cs *metadata.Snapshot) {
		second := cs.Streams[0]
		second.Index = 1
		cs.Streams = append(cs.Streams, second)
	})
	live := func() (n int) {
		for _, line := range s.Offer().Media {
			if line.Port != 0 {
				n++
			}
		}
		return n
	}
	s.Update()
	if n := live(); n != 2 {
		t.Errorf("%d streams are offered without ports", n)
	}
	free()
	for live() < 4 { // one of the two may be first
		s.Update()
	}
	hears(t, c, s)
	c.end()
	s.End()
	c.ended(src.Partial)
}
