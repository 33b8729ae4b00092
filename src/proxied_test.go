package src_test

import (
	"slices"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
)

// A proxy before a dead SRS answers in its place, with 100 and 503. Neither says that what was sent has arrived: the SRS
// is asked by OPTIONS, and the next one gets all that was said since the dead one was last heard of.
func TestDeadSRSBehindAProxy(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	m.recs[0].AutoReply("BYE", 481)
	last := m.c.caller.Sent()
	m.c.spoken(600) // 3 s: longer than what is sent again for good measure
	m.c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
	in := m.s.ExpectUpdate()
	in.Reply(100)
	in.Reply(503)
	in.ExpectOther("ACK")
	m.recs[0].Expect("OPTIONS").Reply(408)
	to := m.arrives(t, m.recs[1])
	if got := numbers(to, "1"); !got[last+5] || !got[last+10] {
		t.Errorf("the second SRS has nothing of what was said after number %d", last)
	}
	m.c.end()
	to.End()
	m.c.ended(src.Complete)
}

// An SRS that cannot take an update now, but answers OPTIONS, keeps the session, and is told of the new m-line once more.
func TestUpdateComesAgain(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	if err := m.c.relay.SetStreams(2); err != nil {
		t.Fatal(err)
	}
	m.c.change(func(cs *metadata.Snapshot) {
		second := cs.Streams[0]
		second.Index = 1
		cs.Streams = append(cs.Streams, second)
	})
	in := m.s.ExpectUpdate()
	in.Reply(503)
	in.ExpectOther("ACK")
	m.recs[0].Expect("OPTIONS").Reply(200)
	hears(t, m.c, m.s)
	m.s.Update()
	if !slices.Equal(m.s.Labels, []string{"1", "2", "3", "4"}) || m.s.Offer().Media[3].Port == 0 {
		t.Errorf("offered %v, %+v", m.s.Labels, m.s.Offer().Media)
	}
	hears(t, m.c, m.s)
	finish(t, m.c, m.s)
}
