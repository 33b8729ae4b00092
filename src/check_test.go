package src_test

import (
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
)

func checked(s *setup) { s.recorder.Check = 600 * time.Millisecond }

// An SRS that answers OPTIONS keeps the session, whatever the answer; one that has never answered any is asked by
// re-INVITE before it is left.
func TestChecks(t *testing.T) {
	for _, code := range []int{200, 404, 405, 501} {
		t.Run(decimal(code), func(t *testing.T) {
			t.Parallel()
			m := midCall(t, "udp", 2, checked)
			for range 2 {
				m.recs[0].Expect("OPTIONS").Reply(code)
			}
			m.recs[0].AutoReply("OPTIONS", code)
			hears(t, m.c, m.s)
			finish(t, m.c, m.s)
		})
	}
	t.Run("no OPTIONS but re-INVITE", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2, checked, timeout(1500*time.Millisecond))
		m.recs[0].Expect("OPTIONS")
		m.s.Update()
		hears(t, m.c, m.s)
		m.recs[0].AutoReply("OPTIONS", 200)
		finish(t, m.c, m.s)
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		m := midCall(t, "udp", 2, checked, forgets, brisk, timeout(1500*time.Millisecond))
		m.recs[0].Expect("OPTIONS")
		m.s.ExpectUpdate()
		m.recs[1].AutoReply("OPTIONS", 200)
		to := m.arrives(t, m.recs[1])
		m.c.end()
		to.End()
		v := m.c.ended(src.Partial)
		last := m.r.last(v.ID)
		if last.Streams[0].AtRisk == 0 || len(last.Streams[0].Gaps) != 1 || last.Streams[0].Gaps[0].Cause != "lost" {
			t.Errorf("%+v", last.Streams[0])
		}
	})
}

// What one session learns of its SRS has the others ask at once: an SRS that was restarted knows none of them, and may
// give the ports to which they send to somebody else.
func TestOneLossHasAllAsk(t *testing.T) {
	t.Parallel()
	m := midCall(t, "udp", 2, func(s *setup) { s.ports = 64 })
	other := m.r.newCall()
	other.talk()
	other.begin()
	second := m.recs[0].Accept()
	hears(t, other, second)
	m.c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
	m.s.ExpectUpdate().Reply(481)
	to := m.arrives(t, m.recs[1])
	in := m.recs[0].Expect("OPTIONS")
	if in.CallID() != second.Invite.CallID() {
		t.Errorf("asked in the dialog %s", in.CallID())
	}
	in.Reply(481)
	then := m.recs[1].Accept()
	hears(t, other, then)
	other.end()
	then.End()
	other.ended(src.Complete)
	m.c.end()
	to.End()
	m.c.ended(src.Complete)
}
