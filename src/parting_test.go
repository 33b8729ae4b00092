package src_test

import (
	"slices"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
)

// What was said on a stream that ends while no SRS has the session leaves for the next one, which is told of the end then.
func TestStreamEndsInAMove(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	m.s.Dialog.Bye()
	in := m.recs[1].Expect("INVITE")
	m.c.spoken(30)
	m.c.quiet()
	m.c.change(func(cs *metadata.Snapshot) { // fax
		cs.Streams[0] = metadata.MediaStream{Kind: "image"}
	})
	in.Reply(503)
	in.ExpectOther("ACK")
	to := m.recs[0].Accept()
	inactive(t, to, false)
	together(t, m.c, m.s, to)
	to.Update()
	for _, line := range to.Offer().Media {
		if line.Port != 0 {
			t.Errorf("label %s is still offered", line.Label)
		}
	}
	m.c.end()
	to.End()
	m.c.ended(src.Complete)
}

// In a pause it waits for the end of the pause, unless the stream comes back before.
func TestStreamEndsInAMoveAndAPause(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	m.s.Dialog.Bye()
	in := m.recs[1].Expect("INVITE")
	m.c.spoken(30)
	m.c.quiet()
	if _, err := m.r.client.Pause(t.Context(), m.c.view().ID); err != nil {
		t.Fatal(err)
	}
	audio := m.c.cs.Streams[0]
	m.c.change(func(cs *metadata.Snapshot) { cs.Streams[0] = metadata.MediaStream{Kind: "image"} })
	in.Reply(503)
	in.ExpectOther("ACK")
	to := m.recs[0].Accept()
	inactive(t, to, true)
	m.c.await(metadata.StatePaused)
	if n := len(to.Streams["1"].Packets()); n > 0 {
		t.Errorf("%d packets in the pause", n)
	}
	m.c.change(func(cs *metadata.Snapshot) { cs.Streams[0] = audio })
	to.Update()
	inactive(t, to, true)
	if _, err := m.r.client.Resume(t.Context(), m.c.view().ID); err != nil {
		t.Fatal(err)
	}
	to.Update()
	inactive(t, to, false)
	m.c.talk()
	hears(t, m.c, to)
	m.c.quiet()
	together(t, m.c, m.s, to)
	if !slices.Equal(to.Labels, []string{"1", "2"}) {
		t.Errorf("labels %v", to.Labels)
	}
	m.c.end()
	to.End()
	m.c.ended(src.Complete)
}
