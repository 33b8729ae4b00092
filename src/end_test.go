package src_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// SRC-18: the call ends at each state of the INVITE, and the SRS is left with
// no session.
func TestCallEndsFirst(t *testing.T) {
	begin := func(t *testing.T) (*call, *peer.Recorder, *peer.Incoming, *peer.Session) {
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")}, timeout(10*time.Second))
		c := r.newCall()
		c.begin()
		in := rec.Expect("INVITE")
		return c, rec, in, rec.Take(in)
	}
	cancelled := func(t *testing.T, in *peer.Incoming) {
		t.Helper()
		in.ExpectOther("CANCEL").Reply(200)
		in.Reply(487)
		in.ExpectOther("ACK")
	}
	t.Run("before any response", func(t *testing.T) {
		c, rec, in, _ := begin(t)
		c.end()
		c.ended(src.Failed)
		if in := rec.Maybe("CANCEL", 100*time.Millisecond); in != nil {
			t.Error("CANCEL before a 1xx") // RFC 3261 §9.1
		}
		in.Reply(100)
		cancelled(t, in)
	})
	t.Run("after 180", func(t *testing.T) {
		c, _, in, _ := begin(t)
		in.Reply(180)
		c.end()
		cancelled(t, in)
		v := c.ended(src.Failed)
		if len(v.Attempts) != 1 || v.Attempts[0].Code != 487 {
			t.Errorf("attempts: %+v", v.Attempts)
		}
	})
	t.Run("200 crosses CANCEL", func(t *testing.T) {
		c, _, in, s := begin(t)
		in.Reply(180)
		c.end()
		cancel := in.ExpectOther("CANCEL")
		in.Reply(200, peer.WithSDP(s.Answer()))
		cancel.Reply(200)
		in.ExpectOther("ACK")
		in.ExpectOther("BYE").Reply(200)
		c.ended(src.Failed)
	})
	t.Run("200 instead of the first 1xx", func(t *testing.T) {
		c, _, in, s := begin(t)
		c.end()
		c.ended(src.Failed)
		in.Reply(200, peer.WithSDP(s.Answer()))
		in.ExpectOther("ACK")
		in.ExpectOther("BYE").Reply(200)
	})
	t.Run("200 repeated", func(t *testing.T) {
		c, rec, in, s := begin(t)
		in.Reply(200, peer.WithSDP(s.Answer()))
		ack := in.ExpectOther("ACK")
		in.Reply(200, peer.WithSDP(s.Answer()))
		rec.AwaitTimes(ack.Message, 2)
		c.end()
		s.End()
		c.ended(src.Complete)
	})
	t.Run("another fork answers too", func(t *testing.T) {
		c, _, in, s := begin(t)
		in.Reply(200, peer.WithSDP(s.Answer()))
		in.ExpectOther("ACK")
		in.Reply(200, peer.WithSDP(s.Answer()), peer.Tag("second"))
		in.ExpectOther("ACK")
		if bye := in.ExpectOther("BYE"); bye.ToTag() != "second" {
			t.Errorf("BYE to the fork %q", bye.ToTag())
		} else {
			bye.Reply(200)
		}
		c.end()
		s.End()
		c.ended(src.Complete)
	})
	t.Run("never answered", func(t *testing.T) {
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")}, early)
		c := r.newCall()
		c.cs.State, c.cs.Answered = metadata.CallEarly, time.Time{}
		c.begin()
		in := rec.Expect("INVITE")
		in.Reply(180)
		c.end()
		cancelled(t, in)
		c.ended(src.Skipped)
	})
	t.Run("while an update is under way", func(t *testing.T) {
		_, c, _, s := recording(t)
		c.hold(true)
		in := s.ExpectUpdate()
		c.end()
		bye := s.Dialog.Expect("BYE")
		in.Reply(200, peer.WithSDP(s.Answer()))
		in.ExpectOther("ACK")
		bye.Reply(200)
		c.ended(src.Complete)
	})
	t.Run("while the SRS hangs up", func(t *testing.T) {
		_, c, _, s := recording(t)
		c.end()
		bye := s.Dialog.Expect("BYE")
		s.Dialog.Bye()
		bye.Reply(200)
		c.ended(src.Complete)
	})
}

// A recorder that chokes on the document in the BYE gets one without.
func TestByeWithoutBody(t *testing.T) {
	_, c, _, s := recording(t)
	c.end()
	bye := s.Dialog.Expect("BYE")
	bye.Reply(415)
	again := s.Dialog.Expect("BYE")
	if len(again.Body) > 0 || again.Get("Content-Type") != "" || again.Get("Content-Disposition") != "" {
		t.Errorf("second BYE: %s %q", again.Get("Content-Type"), again.Body)
	}
	again.Reply(200)
	c.ended(src.Complete)
}

// A BYE is repeated until it is answered, and its silence is counted.
func TestByeUnanswered(t *testing.T) {
	t.Parallel()
	r, c, rec, s := recording(t, brisk)
	c.end()
	bye := s.Dialog.Expect("BYE")
	if bye.Network() == "udp" {
		rec.AwaitTimes(bye.Message, 3)
	}
	c.ended(src.Complete)
	if !peer.Eventually(func() bool { return r.metric(t, "sidetrack_recording_byes_unanswered_total") == 1 }) {
		t.Error("unanswered BYE not counted")
	}
}

// Nor is one that somebody before the SRS answers in its place.
func TestByeAnsweredByAnother(t *testing.T) {
	for _, codes := range [][]int{{408}, {503, 503}} { // the second without the document
		t.Run(decimal(codes[0]), func(t *testing.T) {
			r, c, _, s := recording(t)
			c.end()
			for _, code := range codes {
				s.Dialog.Expect("BYE").Reply(code)
			}
			c.ended(src.Complete)
			if !peer.Eventually(func() bool { return r.metric(t, "sidetrack_recording_byes_unanswered_total") == 1 }) {
				t.Error("unanswered BYE not counted")
			}
		})
	}
}

// An operator starts, stops and names recordings in mid-call.
func TestStartStop(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.rule.Recorder = "none" })
	ctx := context.Background()
	c := r.newCall()
	c.talk()
	c.begin()
	v, err := r.client.Start(ctx, c.cs.ID, src.StartRequest{Recorder: "main", Name: "n1", Tracks: "caller"})
	if err != nil || v.Name != "n1" || v.State != metadata.StateStarting {
		t.Fatalf("start: %+v, %v", v, err)
	}
	first := rec.Accept()
	hears(t, c, first)
	if _, err := r.client.Start(ctx, c.cs.ID, src.StartRequest{Recorder: "main", Name: "n1"}); !errors.Is(err, src.ErrState) {
		t.Errorf("a second n1: %v", err)
	}
	w, err := r.client.Start(ctx, c.cs.ID, src.StartRequest{Recorder: "main"})
	if err != nil || w.Name != "main" {
		t.Fatalf("start: %+v, %v", w, err)
	}
	second := rec.Accept()
	hears(t, c, second)

	if v, err = r.client.Stop(ctx, v.ID); err != nil || v.State != metadata.StateEnded || v.Result != src.Partial {
		t.Errorf("stop: %+v, %v", v, err)
	}
	bye := first.End()
	if doc := string(bye.Body); !strings.Contains(doc, "disassociate-time") || strings.Contains(doc, "stop-time") {
		t.Errorf("last document of a stopped recording: %s", doc)
	}
	hears(t, c, second)
	c.end()
	second.End()
	if !peer.Eventually(func() bool { v, _ := r.client.Recording(w.ID); return v.Result == src.Complete }) {
		t.Error("the second recording is not complete")
	}
	for name, req := range map[string]src.StartRequest{"recorder": {Recorder: "x"}, "tracks": {Recorder: "main", Tracks: "x"}} {
		d := r.newCall()
		d.begin()
		if _, err := r.client.Start(ctx, d.cs.ID, req); !errors.Is(err, src.ErrRequest) {
			t.Errorf("wrong %s: %v", name, err)
		}
		d.end()
	}
	if _, err := r.client.Start(ctx, c.cs.ID, src.StartRequest{Recorder: "main"}); !errors.Is(err, src.ErrNotFound) {
		t.Errorf("recording a call that is over: %v", err)
	}
}

// Close sends BYE to every SRS and waits for the answers.
func TestClose(t *testing.T) {
	r, c, _, s := recording(t)
	closed := make(chan error, 1)
	go func() { closed <- r.client.Close(context.Background()) }()
	bye := s.Dialog.Expect("BYE")
	select {
	case err := <-closed:
		t.Errorf("closed before the BYE was answered: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	bye.Reply(200)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	c.ended(src.Partial)
	c.end()
	d := r.newCall()
	d.begin()
	if !peer.Eventually(func() bool { return d.notified() == "ended" }) {
		t.Errorf("a call after Close: %q", d.notified())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	other, _, _, late := recording(t)
	if err := other.client.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("closing without time: %v", err)
	}
	late.End()
}

// Reload changes what later calls meet; a mistake changes nothing.
func TestReload(t *testing.T) {
	old, fresh := newSRS(t, "old"), newSRS(t, "new")
	r := newRig(t, []string{old.URI("")})
	for _, wrong := range [][]src.Recorder{
		{{Name: "main"}}, {{Name: "main", SRS: []string{"tel:1"}}},
		{{Name: "main", SRS: []string{"sip:a"}}, {Name: "main", SRS: []string{"sip:b"}}},
		{{Name: "main", SRS: []string{"sip:a"}, Headers: []src.HeaderTemplate{{Name: "f"}}}},
	} {
		if err := reload(r.client, wrong); err == nil {
			t.Errorf("taken: %+v", wrong)
		}
	}
	c := r.newCall()
	c.begin()
	first := old.Accept()
	if err := reload(r.client, []src.Recorder{{Name: "main", SRS: []string{fresh.URI("")}}}); err != nil {
		t.Fatal(err)
	}
	d := r.newCall()
	d.begin()
	second := fresh.Accept()
	finish(t, c, first)
	finish(t, d, second)
}

// metric is the sum of a metric over its labels, or over those that have one of this name and value.
func (r *rig) metric(t *testing.T, name string, label ...string) (sum float64) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			counts := len(label) == 0
			for _, l := range m.GetLabel() {
				counts = counts || l.GetName() == label[0] && l.GetValue() == label[1]
			}
			if !counts {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// The numbers that an operator watches.
func TestMetrics(t *testing.T) {
	first, second := newSRS(t, "first"), newSRS(t, "second")
	first.AutoReply("INVITE", 503)
	first.Auto("ACK", func(*peer.Incoming) bool { return true })
	r := newRig(t, []string{first.URI(""), second.URI("")})
	c := r.newCall()
	c.begin()
	s := second.Accept()
	c.await(metadata.StateRecording)
	c.hold(true)
	s.Update()
	want := map[string]float64{
		"sidetrack_recordings_active": 1, "sidetrack_recordings_total": 0, "sidetrack_recording_start_seconds": 1,
		"sidetrack_srs_attempts_total": 2, "sidetrack_srs_failovers_total": 1, "sidetrack_srs_up": 1,
		"sidetrack_recording_pauses_total": 1, "sidetrack_recording_byes_unanswered_total": 0,
	}
	for name, n := range want {
		if got := r.metric(t, name); got != n {
			t.Errorf("%s: %v, wanted %v", name, got, n)
		}
	}
	finish(t, c, s)
	if a, n := r.metric(t, "sidetrack_recordings_active"), r.metric(t, "sidetrack_recordings_total"); a != 0 || n != 1 {
		t.Errorf("after the end: %v active, %v ended", a, n)
	}
}

func reload(c *src.Client, recorders []src.Recorder) error {
	swap, err := c.Prepare(recorders, 0)
	if err == nil {
		swap(func() {})
	}
	return err
}
