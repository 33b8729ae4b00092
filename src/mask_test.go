package src_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// masked waits until a packet that is not the party's own has come under the label, for it has been made by the mask.
func masked(t *testing.T, c *call, s *peer.Session, label string) {
	t.Helper()
	c.spoken(3)
	before := len(s.Streams[label].Packets())
	if !peer.Eventually(func() bool { return len(s.Streams[label].Packets()) >= before+10 }) {
		t.Fatalf("label %s stands still", label)
	}
	for _, p := range s.Streams[label].Packets()[before:] {
		if p.Party != "" || !bytes.Equal(p.Payload, bytes.Repeat([]byte{0xff}, len(p.Payload))) {
			t.Fatalf("label %s under the mask: %v % x", label, p, p.Payload[:8])
		}
	}
}

// A mask hides one party or both, at once and without a word to the SRS, while the numbers and the clock of the copy go
// on; it shows in the view, the events and the gaps.
func TestMask(t *testing.T) {
	r, c, rec, s := recording(t)
	id := c.view().ID
	v, err := r.client.Mask(context.Background(), id, "caller")
	if err != nil || v.State != metadata.StateRecording || !v.Streams[0].Masked || v.Streams[1].Masked {
		t.Fatalf("%+v, %v", v, err)
	}
	masked(t, c, s, "1")
	hears := c.copies(s, "2")
	c.spoken(5)
	if !peer.Eventually(func() bool { return c.copies(s, "2") > hears }) {
		t.Error("the callee is not heard")
	}
	if v, err = r.client.Mask(context.Background(), id, ""); err != nil || !v.Streams[1].Masked {
		t.Fatalf("%+v, %v", v, err)
	}
	masked(t, c, s, "1")
	masked(t, c, s, "2")
	if v, err = r.client.Unmask(context.Background(), id, "both"); err != nil || v.Streams[0].Masked {
		t.Fatalf("%+v, %v", v, err)
	}
	for label, before := range map[string]int{"1": c.copies(s, "1"), "2": c.copies(s, "2")} {
		if !peer.Eventually(func() bool { return c.copies(s, label) > before+5 }) {
			t.Errorf("label %s is still masked", label)
		}
		all := s.Streams[label].Packets()
		for i := 1; i < len(all); i++ {
			if all[i].Seq != all[i-1].Seq+1 || all[i].Stamp != all[i-1].Stamp+160 || all[i].SSRC != all[0].SSRC {
				t.Fatalf("label %s: %d/%d after %d/%d", label, all[i].Seq, all[i].Stamp, all[i-1].Seq, all[i-1].Stamp)
			}
		}
	}
	if _, err := r.client.Mask(context.Background(), id, "nobody"); !errors.Is(err, src.ErrRequest) {
		t.Errorf("%v", err)
	}
	if _, err := r.client.Mask(context.Background(), "other", ""); !errors.Is(err, src.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if in := rec.Maybe("INVITE", 0); in != nil {
		t.Errorf("the SRS was told of the mask: %v", in.Message)
	}
	r.hasTold("start masked masked unmasked")
	finish(t, c, s)
	story := r.story(id)
	for _, st := range story[len(story)-1].Streams {
		if !slices.ContainsFunc(st.Gaps, func(g src.Gap) bool { return g.Cause == "mask" && !g.To.IsZero() }) {
			t.Errorf("label %s: gaps %+v", st.Label, st.Gaps)
		}
	}
}

// What was masked stays so on the next SRS and on new streams, beeps where the recorder wants them.
func TestMaskBeforeTheSRS(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.recorder.Mask = forker.PauseBeep })
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	if _, err := r.client.Mask(context.Background(), c.view().ID, ""); err != nil {
		t.Fatal(err)
	}
	s := rec.AcceptInvite(in)
	c.await(metadata.StateRecording)
	if !peer.Eventually(func() bool { return len(s.Streams["1"].Packets()) > 30 }) {
		t.Fatal("nothing comes")
	}
	beeps := false
	var own int
	for _, p := range s.Streams["1"].Packets() {
		if p.Party == "" {
			beeps = beeps || p.Payload[5] != 0xff
		} else {
			own++
		}
	}
	before := c.copies(s, "1")
	c.spoken(5)
	if c.copies(s, "1") != before || !beeps {
		t.Errorf("%d packets of %d are the party's own, beeps: %v", own, len(s.Streams["1"].Packets()), beeps)
	}
	finish(t, c, s)
}

// hidden waits until a stream carries silence, and checks that it has nothing of the party's own.
func hidden(t *testing.T, c *call, s *peer.Session, label string) {
	t.Helper()
	s.Streams[label].Await("silence", func(all []peer.Packet) bool { return len(all) >= 10 })
	c.spoken(5)
	if n := c.copies(s, label); n != 0 {
		t.Errorf("label %s: %d packets of what is masked", label, n)
	}
}

// A mask covers what goes to the SRS to which the recording moves, and a stream that the call gets meanwhile.
func TestMaskHoldsOverAMove(t *testing.T) {
	m := midCall(t, "udp", 2, forgets)
	ctx, id := context.Background(), m.c.view().ID
	if _, err := m.r.client.Mask(ctx, id, ""); err != nil {
		t.Fatal(err)
	}
	masked(t, m.c, m.s, "1")
	m.s.Dialog.Bye()
	to := m.recs[1].Accept()
	m.c.await(metadata.StateRecording)
	hidden(t, m.c, to, "1")
	hidden(t, m.c, to, "2")

	if err := m.c.relay.SetStreams(2); err != nil {
		t.Fatal(err)
	}
	second := peer.NewMedia(t, "127.0.0.2", m.c.cs.ID, "caller")
	m.c.relay.SetRemote(forker.SideA, 1, forker.Remote{RTP: second.Addr(), Sends: true, RTPKind: true})
	at, _ := m.c.relay.Local(forker.SideA, 1)
	m.c.change(func(cs *metadata.Snapshot) {
		added := cs.Streams[0]
		added.Index = 1
		cs.Streams = append(cs.Streams, added)
	})
	to.Update()
	second.Talk(at)
	hidden(t, m.c, to, "3")
	if _, err := m.r.client.Unmask(ctx, id, ""); err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"1", "2", "3"} {
		if !peer.Eventually(func() bool { return m.c.copies(to, label) > 5 }) {
			t.Errorf("label %s is still masked", label)
		}
	}
	finish(t, m.c, to)
}

// A pause that has no limit, or one far away, takes another.
func TestPauseTakesAnotherLimit(t *testing.T) {
	for _, before := range []time.Duration{0, time.Hour} {
		r, c, _, s := recording(t)
		ctx, id := context.Background(), c.view().ID
		if _, err := r.client.PauseFor(ctx, id, before); err != nil {
			t.Fatal(err)
		}
		s.Update()
		silence(t, c, s)
		if _, err := r.client.PauseFor(ctx, id, 0); !errors.Is(err, src.ErrState) {
			t.Errorf("paused again: %v", err)
		}
		if _, err := r.client.PauseFor(ctx, id, 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		s.Update()
		inactive(t, s, false)
		c.await(metadata.StateRecording)
		hears(t, c, s)
		finish(t, c, s)
	}
}
