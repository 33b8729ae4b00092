package b2bua_test

import (
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// Who did not answer one call is asked last by the next ones, requests outside calls included; when the others fail it
// is asked all the same, and with its first word all is well again.
func TestSilentTargetIsAskedLast(t *testing.T) {
	s := newStage(t, setup{hunting: true, silence: 60 * time.Millisecond})
	first := s.send()
	silent := s.pbx.Expect("INVITE")
	first.in = s.second.Expect("INVITE")
	first.answer().hangUp()

	c := s.send()
	c.in = s.second.Expect("INVITE") // at once
	c.answer().hangUp()
	out := s.caller.Start("MESSAGE", s.proxy, peer.Call{URI: bob})
	s.second.Expect("MESSAGE").Reply(200)
	out.Expect(200)
	if got := s.pbx.Maybe("MESSAGE", 0); got != nil {
		t.Errorf("the silent one got %s", got.Start)
	}

	c = s.send()
	in := s.second.Expect("INVITE")
	in.Reply(503)
	in.ExpectOther("ACK")
	c.in = s.pbx.ExpectWhere("its INVITE", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.CallID() == c.out.Sent.CallID() })
	c.answer().hangUp()

	c = s.send()
	c.in = s.pbx.ExpectWhere("its INVITE", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.CallID() == c.out.Sent.CallID() })
	c.answer().hangUp()
	silent.Reply(487) // the very first, to its CANCEL that waits for a word
	silent.ExpectOther("ACK")
	s.quiet()
}
