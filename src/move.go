package src

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sidetrack/internal/redact"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// MidCall says what becomes of a recording whose SRS is lost while the call
// goes on.
type MidCall string

// The values of MidCall; "" means MidCallMove.
const (
	MidCallMove MidCall = "move" // it goes on with the next SRS of the list
	MidCallStop MidCall = "stop" // it ends
)

// loss is how a dialog with an SRS comes to its end before the call does.
type loss struct {
	reason string
	gone   bool // the SRS has no such dialog any more: no BYE
	alive  bool // it was there until now, so what was sent to it has arrived
}

// moving is the way from a lost SRS to the next. The state is StateMoving
// meanwhile, and what is said is kept by the taps.
//
//	lost ──► next SRS … last ──► wait 1, 2, 4 … 30 s ──► next SRS …
type moving struct {
	times  int        // how often the session has been lost
	why    string     // the last loss, or why nothing could be copied before there was any
	at     time.Time  // when that was
	tries  int        // rounds that have failed, and losses soon after a success
	target int        // index of the SRS that was lost
	upAt   time.Time  // when an SRS took the session last
	timer  *txn.Timer // until the next round
}

const (
	firstRound = time.Second
	lastRound  = 30 * time.Second
	// steady is how long an SRS must have kept the session for its loss to be
	// answered without a wait: one that takes each session and drops it at once
	// is not asked in a circle.
	steady = 30 * time.Second
)

// pause is how long to wait before the next round.
func (m *moving) pause(first time.Duration) time.Duration {
	if m.tries == 0 {
		return 0
	}
	return min(first<<min(m.tries-1, 8), lastRound)
}

// lose ends the dialog with the SRS. The session goes on with another one,
// unless its recorder is not to be moved.
func (s *Session) lose(l loss) {
	if s.leg == nil || s.state == metadata.StateEnded {
		return
	}
	s.client.trouble.warn(s.log, s.srs, "recording session lost", "reason", l.reason)
	if s.by == InitiatorSRS && !l.alive {
		l.reason += reasonAskedFor
	}
	if s.recorder.MidCall == MidCallStop || s.by == InitiatorSRS { // it can ask again
		s.noteRisk(l)
		s.streams.close()
		if l.gone {
			s.unbind()
		} else {
			s.hangUp()
		}
		s.finish(Partial, l.reason)
		return
	}
	if !l.alive {
		s.client.metrics.reached(s.recorder.Name, s.srs, false)
		s.client.health.failed(s.recorder.Name, s.srs)
		s.client.health.strike(s.recorder.Name, s.srs)
	}
	s.depart(l, s.substitutes(s.target))
}

// depart leaves the SRS for the ones in plan. The identifiers stay, and so do
// the taps: they keep what is said until they are told where to send it.
func (s *Session) depart(l loss, plan []int) {
	s.noteRisk(l)
	for _, st := range s.streams.all {
		st.forget()
	}
	old, leg, m := s.attempt, s.leg, &s.moving
	old.over = true
	s.client.health.carries(s.recorder.Name, s.srs, -1)
	s.leg, s.agreed, s.described = nil, nil, 0
	s.quiet()
	s.steerTaps()
	unbind := func() { s.lane.Unbind(old.callID, old.tag) }
	if l.gone {
		unbind()
	} else {
		s.bye(leg, nil, unbind)
	}
	now := s.now()
	if now.Sub(m.upAt) >= steady {
		m.tries = 0
	}
	m.times, m.why, m.at, m.target = m.times+1, l.reason, now, s.target
	s.plan = plan
	s.become(metadata.StateMoving, l.reason)
	s.testify()
	s.round()
}

// quiet ends everything that belongs to the dialog.
func (s *Session) quiet() {
	s.updates.stop()
	s.incoming.stop()
	s.timer.stop()
	s.watch.stop()
}

// round asks the SRSs of the plan, after the pause that is due.
func (s *Session) round() {
	wait := s.moving.pause(s.client.round)
	s.moving.tries++
	switch {
	case s.lingers() && wait > 0: // whom we would wait for has been asked
		s.conclude(s.linger.cs)
		return
	case wait == 0:
		s.proceed()
		return
	}
	if rest := s.client.health.resting(s.recorder); rest > wait { // an operator may enable one before
		wait = min(rest+time.Millisecond, max(wait, lastRound))
	}
	s.log.Info("the SRSs are asked later", "wait", wait.String())
	s.moving.timer = s.lane.After(wait, s.proceed)
}

func (s *Session) proceed() {
	s.moving.timer = nil
	if s.postpones() {
		s.round()
		return
	}
	if len(s.plan) == 0 {
		if s.plan = s.whom(); len(s.plan) == 0 {
			s.round()
			return
		}
	}
	if s.attempt != nil {
		s.client.metrics.failovers.WithLabelValues(s.recorder.Name).Inc()
	}
	s.next()
}

// patience is how many times its time an SRS gets that has said that it is at it.
const patience = 3

// waitsFor tells whether an SRS that is late to take over a session is given more time: it
// has answered 1xx, and nobody could be asked in its place but the same one again. A recorder
// that has just been started, and has hundreds of sessions to take over, would have each
// twice: its late 200 crosses the CANCEL. What is said is kept meanwhile.
func (s *Session) waitsFor(a *attempt) bool {
	return s.taken && a.tried && len(s.plan) == 0 && len(s.rivals) == 1
}

// onMoveFailed goes on looking as long as the call lasts. skip_failover_codes
// have no say here: a recording that has begun is worth every attempt.
func (s *Session) onMoveFailed() {
	switch {
	case len(s.plan) > 0:
		s.proceed()
		return
	case len(s.rivals) > 0: // one of them may take it still
		return
	}
	s.plan = nil
	s.round()
}

// after is the order in which to look for a substitute of an SRS: from the next
// of the list on, round to the lost one itself, which may be back.
func (s *Session) after(target int) []int {
	n := len(s.recorder.SRS)
	plan := make([]int, n)
	for i := range plan {
		plan[i] = (target + 1 + i) % n
	}
	return plan
}

// substitutes is after, the ones in trouble behind the others, and the lost one
// last of all.
func (s *Session) substitutes(target int) []int {
	others, h := s.after(target), s.client.health
	return append(h.sort(s.recorder, others[:len(others)-1]), h.sort(s.recorder, []int{target})...)
}

// onMoved takes the session into being again.
func (s *Session) onMoved() {
	s.noteOverflow()
	s.tell(EventMoved, s.moving.why)
	s.log.Info("recording moved", "reason", s.moving.why, "took", s.now().Sub(s.moving.at).Round(1e6).String())
}

// Move takes a live recording to another SRS of its recorder; srs "" means the
// next of the list. Nothing is lost: what is said meanwhile is kept. The errors
// are ErrNotFound, ErrState, ErrRequest (wrapped) and those of ctx.
func (c *Client) Move(ctx context.Context, id, srs string) (View, error) {
	return c.control(ctx, id, func(s *Session) error { return s.move(srs) })
}

func (s *Session) move(srs string) error {
	if s.leg == nil || s.by == InitiatorSRS {
		return ErrState
	}
	plan := s.after(s.target)
	if srs != "" {
		i := slices.Index(s.recorder.SRS, redact.Passwords(srs))
		if i < 0 {
			return fmt.Errorf("no SRS %q in recorder %s: %w", redact.Passwords(srs), s.recorder.Name, ErrRequest)
		}
		plan = append([]int{i}, slices.DeleteFunc(plan, func(j int) bool { return j == i })...)
	}
	s.moving.tries = 0 // an operator's wish is no failure
	s.depart(loss{reason: reasonMoved, alive: true}, plan)
	return nil
}
