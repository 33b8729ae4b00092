package src_test

import (
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

// moved is a call that is recorded by the first of several SRSs, over one network.
type moved struct {
	r    *rig
	c    *call
	recs []*peer.Recorder
	s    *peer.Session
}

func midCall(t *testing.T, network string, n int, opts ...func(*setup)) *moved {
	t.Helper()
	m := &moved{}
	var uris []string
	for range n {
		rec := newSRS(t, "srs"+string(rune('1'+len(m.recs))), network)
		m.recs = append(m.recs, rec)
		uris = append(uris, rec.URI(";transport="+network))
	}
	m.r = newRig(t, uris, opts...)
	m.c = m.r.newCall()
	m.c.talk()
	m.c.begin()
	m.s = m.recs[0].Accept()
	hears(t, m.c, m.s)
	m.c.await(metadata.StateRecording)
	return m
}

// arrives checks that the session has come to another SRS as the same one, and is heard there.
func (m *moved) arrives(t *testing.T, to *peer.Recorder) *peer.Session {
	t.Helper()
	s := to.Accept()
	if s.Invite.CallID() == m.s.Invite.CallID() || s.Invite.FromTag() == m.s.Invite.FromTag() {
		t.Error("the new dialog has the identity of the old one")
	}
	was, is := m.s.Doc(), s.Doc()
	if is.DataMode != "complete" || is.Sessions[0].ID != was.Sessions[0].ID ||
		is.Participants[0].ID != was.Participants[0].ID || is.Participants[1].ID != was.Participants[1].ID ||
		is.Streams[0].ID != was.Streams[0].ID || is.Streams[1].ID != was.Streams[1].ID {
		t.Errorf("the ids have changed: %+v, %+v", was, is)
	}
	if s.Offer().Version <= m.s.Offer().Version || strings.Fields(s.Offer().Origin)[1] != strings.Fields(m.s.Offer().Origin)[1] {
		t.Errorf("origins: %s, %s", m.s.Offer().Origin, s.Offer().Origin)
	}
	hears(t, m.c, s)
	m.c.await(metadata.StateRecording)
	return s
}

// numbers are those of the party's packets that a stream has received.
func numbers(s *peer.Session, label string) map[int]bool {
	got := map[int]bool{}
	for _, p := range s.Streams[label].Packets() {
		got[p.Number] = true
	}
	return got
}

// quiet has both parties fall silent, when all that they have said has gone through the relay.
func (c *call) quiet() {
	c.caller.Quiet()
	c.callee.Quiet()
	if !peer.Eventually(func() bool { return c.relayed(0) == c.caller.Sent() && c.relayed(1) == c.callee.Sent() }) {
		c.r.t.Errorf("%d and %d packets relayed of %d and %d", c.relayed(0), c.relayed(1), c.caller.Sent(), c.callee.Sent())
	}
}

func (c *call) relayed(flow int) int { return int(c.relay.Stats().Streams[0].Flows[flow].Packets) }

// together checks that both sessions together have every packet from the first on.
func together(t *testing.T, c *call, a, b *peer.Session) {
	t.Helper()
	for label, party := range map[string]*peer.Media{"1": c.caller, "2": c.callee} {
		last := party.Sent()
		missing := func() (n int) {
			one, two := numbers(a, label), numbers(b, label)
			first := 1
			for first < last && !one[first] { // said before the recording began
				first++
			}
			for i := first; i <= last; i++ {
				if !one[i] && !two[i] {
					n++
				}
			}
			return n
		}
		if !peer.Eventually(func() bool { return missing() == 0 }) {
			t.Errorf("%d packets of label %s are in neither recording", missing(), label)
		}
	}
}

// Who speaks in the call while no SRS has it, and has left before one does, is named all the same.
func TestTransfersDuringAMove(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2)
	m.s.Dialog.Bye()
	in := m.recs[1].Expect("INVITE")
	for _, who := range []string{"carol", "dave"} {
		m.c.change(func(cs *metadata.Snapshot) { cs.Callee = metadata.Party{AOR: "sip:" + who + "@pbx.test"} })
	}
	in.Reply(503)
	in.ExpectOther("ACK")
	to := m.recs[0].Accept()
	var names []string
	for _, p := range to.Doc().Participants {
		names = append(names, p.Names[0].AOR)
	}
	if got := strings.Join(names, " "); got != "sip:alice@pbx.test sip:bob@pbx.test sip:carol@pbx.test sip:dave@pbx.test" {
		t.Errorf("participants: %s", got)
	}
	finish(t, m.c, to)
}
