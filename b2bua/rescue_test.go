package b2bua_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"sidetrack/policy"
	"sidetrack/tests/peer"
)

// fault is a log that panics at one message.
type fault struct {
	slog.Handler
	at    string
	times *atomic.Int32
}

func (f fault) Enabled(context.Context, slog.Level) bool { return f.at != "" }

func (f fault) WithAttrs([]slog.Attr) slog.Handler { return f }

func (f fault) Handle(_ context.Context, r slog.Record) error {
	if r.Message == f.at {
		f.times.Add(1)
		panic("fault")
	}
	return nil
}

// A fault of ours while a call is being set up is told to the caller, and the callee is not left with a call: the stage
// looks that nothing of it is kept.
func TestFaultWhileACallIsSetUp(t *testing.T) {
	t.Run("in the answer", func(t *testing.T) {
		s := newStage(t, setup{fault: "call answered"})
		c := s.invite()
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
		c.out.Expect(500)
		d := c.in.Dialog()
		d.Expect("ACK")
		d.AnswerBye()
		s.quiet()
	})
	t.Run("between two targets", func(t *testing.T) {
		s := newStage(t, setup{hunting: true, fault: "target failed, trying the next"})
		c := s.invite()
		c.in.Reply(503)
		c.in.ExpectOther("ACK")
		c.out.Expect(500)
		s.quiet()
	})
	t.Run("before anybody is asked", func(t *testing.T) {
		s := newStage(t, setup{fault: "call arrived", maxCalls: 1})
		for range 2 { // the first has left its place to the second
			s.send().out.Expect(500)
			if !peer.Eventually(func() bool { return s.server.Active() == 0 }) {
				t.Fatalf("%d calls", s.server.Active())
			}
		}
		s.quiet()
	})
	t.Run("at once", func(t *testing.T) {
		s := newStage(t, setup{routes: func(*stage) []string { return []string{"sip:nowhere.invalid:5060"} }, fault: "target does not resolve"})
		s.send().out.Expect(500)
		s.quiet()
	})
}

// As long as somebody may answer, the call goes on.
func TestFaultThatACallSurvives(t *testing.T) {
	s := newStage(t, setup{fault: "target does not resolve", policy: func(s *stage) policy.Config {
		return policy.Config{Routes: []policy.Route{{Name: "both", Parallel: true, Targets: policy.Targets("sip:nowhere.invalid:5060", s.pbx.URI(""))}}}
	}})
	c := s.invite()
	if !peer.Eventually(func() bool { return s.faults.Load() > 0 }) {
		t.Fatal("no fault")
	}
	c.in.Reply(180)
	c.out.Expect(180)
	c.answer().hangUp()
	s.quiet()
}
