package src_test

import (
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// of waits until a recorder's recording of the call is in a state.
func (c *call) of(recorder string, state metadata.RecordingState) src.View {
	c.r.t.Helper()
	var found src.View
	if !peer.Eventually(func() bool {
		for _, v := range c.r.client.Recordings() {
			if v.CallID == c.cs.ID && v.Recorder == recorder {
				found = v
			}
		}
		return found.State == state
	}) {
		c.r.t.Fatalf("%s is %q (%s), wanted %q", recorder, found.State, found.Reason, state)
	}
	return found
}

func also(uri string, alter func(*setup)) func(*setup) {
	return func(s *setup) {
		s.rule.Also = []string{"analytics"}
		s.further = []src.Recorder{{Name: "analytics", SRS: []string{uri}, Timeout: time.Second}}
		s.ports = 64
		alter(s)
	}
}

// A rule with two recorders: two sessions with ids of their own; what happens to one does not touch the other, which
// is complete.
func TestSeveralRecorders(t *testing.T) {
	one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
	r := newRig(t, []string{one.URI("")}, also(two.URI(""), func(*setup) {}))
	c := r.newCall()
	c.talk()
	c.begin()
	a, b := one.Accept(), two.Accept()
	hears(t, c, a)
	hears(t, c, b)
	if a.Doc().Sessions[0].ID == b.Doc().Sessions[0].ID || a.Invite.CallID() == b.Invite.CallID() {
		t.Error("the sessions share an identity")
	}
	b.Dialog.Bye()
	to := two.Accept() // analytics moves, to its only SRS
	hears(t, c, to)
	hears(t, c, a)
	if in := a.Dialog.Maybe("INVITE", 0); in != nil {
		t.Error("the other session was updated")
	}
	c.end()
	a.End()
	to.End()
	if v := c.of("main", metadata.StateEnded); v.Result != src.Complete || v.Streams[0].Dropped != 0 {
		t.Errorf("%+v", v)
	}
	c.of("analytics", metadata.StateEnded)
}

// required: what the owner of the call hears.
func TestSeveralRequired(t *testing.T) {
	refuse := func(rec *peer.Recorder) {
		in := rec.Expect("INVITE")
		in.Reply(486)
		in.ExpectOther("ACK")
	}
	t.Run("both, one refuses", func(t *testing.T) {
		one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
		r := newRig(t, []string{one.URI("")}, also(two.URI(""), required))
		c := r.newCall()
		if !c.begin() {
			t.Error("not required")
		}
		a := one.Accept()
		c.of("main", metadata.StateRecording)
		if got := c.notified(); got != "" {
			t.Errorf("told %q although one has not answered", got)
		}
		refuse(two)
		c.of("analytics", metadata.StateEnded)
		if !peer.Eventually(func() bool { return c.notified() == "ended" }) {
			t.Errorf("told %q", c.notified())
		}
		c.end()
		a.End()
	})
	t.Run("both take it", func(t *testing.T) {
		one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
		r := newRig(t, []string{one.URI("")}, also(two.URI(""), required))
		c := r.newCall()
		c.begin()
		a, b := one.Accept(), two.Accept()
		if !peer.Eventually(func() bool { return c.notified() == "recording" }) {
			t.Errorf("told %q", c.notified())
		}
		c.end()
		a.End()
		b.End()
	})
	t.Run("one is demanded, the other refuses", func(t *testing.T) {
		one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
		r := newRig(t, []string{one.URI("")}, also(two.URI(""), func(s *setup) {
			s.rule.Required, s.rule.Demanded = true, []string{"main"}
		}))
		c := r.newCall()
		c.begin()
		refuse(two)
		c.of("analytics", metadata.StateEnded)
		a := one.Accept()
		if !peer.Eventually(func() bool { return c.notified() == "recording" }) {
			t.Errorf("told %q", c.notified())
		}
		c.end()
		a.End()
		c.of("main", metadata.StateEnded)
	})
}

// One of two recorders flaps: it hangs up again and again, and refuses. The other's recording has every packet.
func TestOneRecorderFlaps(t *testing.T) {
	one, two := newSRS(t, "compliance"), newSRS(t, "analytics")
	r := newRig(t, []string{one.URI("")}, also(two.URI(""), func(*setup) {}))
	c := r.newCall()
	c.begin()
	a, b := one.Accept(), two.Accept()
	c.of("main", metadata.StateRecording)
	c.talk()
	b.Dialog.Bye()
	b = two.Accept()
	hears(t, c, b)
	b.Dialog.Bye()
	in := two.Expect("INVITE")
	in.Reply(503)
	in.ExpectOther("ACK")
	b = two.Accept()
	hears(t, c, b)
	c.quiet()
	for label, party := range map[string]*peer.Media{"1": c.caller, "2": c.callee} {
		if !peer.Eventually(func() bool { return len(numbers(a, label)) == party.Sent() }) {
			t.Errorf("label %s: %d of %d packets", label, len(numbers(a, label)), party.Sent())
		}
	}
	if in := a.Dialog.Maybe("INVITE", 0); in != nil {
		t.Error("the other session was updated")
	}
	c.end()
	a.End()
	b.End()
	if v := c.of("main", metadata.StateEnded); v.Result != src.Complete || v.Streams[0].Dropped != 0 {
		t.Errorf("%+v", v)
	}
	c.of("analytics", metadata.StateEnded)
}
