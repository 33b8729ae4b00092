package src

import (
	"fmt"
	"time"

	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// guard has a call end that a rule will not have go on unrecorded
// (policy.OnUnrecordedHangUp): when no SRS has the session for so long, at its
// start or in mid-call, and at once when it has ended without hope. Whoever stops
// a recording on purpose does not end the call, nor does a pause, however long: the
// limit begins anew with its end.
type guard struct {
	on         bool
	limit      time.Duration
	timer      *txn.Timer
	deliberate bool // somebody has stopped the recording
}

// watchOver follows the state of the session.
func (s *Session) watchOver() {
	g := &s.guard
	if !g.on {
		return
	}
	answered := s.cs.State == metadata.CallAnswered && !s.call.over
	searching := !s.paused && (s.state == metadata.StateStarting || s.state == metadata.StateMoving)
	switch {
	case answered && s.state == metadata.StateEnded && !g.deliberate:
		g.timer.Stop()
		s.call.notify(metadata.StateUnrecorded, s.reason)
	case answered && searching:
		if g.timer == nil {
			g.timer = s.lane.After(g.limit, s.onUnrecorded)
		}
	default:
		g.timer.Stop()
		g.timer = nil
	}
}

// onUnrecorded is told that no SRS has had the session for too long.
func (s *Session) onUnrecorded() {
	why := s.story()
	if s.state == metadata.StateMoving {
		why = s.moving.why
	}
	s.log.Warn("call not recorded for too long, it must end", "limit", s.guard.limit.String())
	s.call.notify(metadata.StateUnrecorded, fmt.Sprintf("no SRS has it since %v: %s", s.guard.limit, why))
}
