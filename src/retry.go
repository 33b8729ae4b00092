package src

import (
	"slices"

	"sidetrack/forker"
	"sidetrack/metadata"
)

// retry is a session that every SRS has refused goes on asking: a recorder that
// is started again takes seconds, a call minutes. What is said meanwhile is kept
// as long as the recorder's Buffer allows; the recording begins when one takes it.
//
//	starting: SRS 1, 2 … last ──► wait 1, 2, 4 … 30 s ──► SRS 1, 2 … last ──► …
type retry struct {
	hope    bool // one of the SRSs of this round was in trouble, and may be well in the next
	waiting bool // all have refused once; none has taken the session since
	late    bool // when one took it, more had been said than is kept
}

const (
	reasonWaiting = "no SRS has taken it yet; they are asked again"
	reasonShort   = "it cannot be copied yet, which is tried again: "
)

// retries tells whether it makes sense to ask again, and is wanted: SRSs that
// were well and refused the session will refuse it again. Where a rule says that
// the call must be recorded, it is decided before the call is answered; an SRS that
// has asked for the recording can ask again.
func (s *Session) retries() bool {
	return s.recorder.Retry && s.retry.hope && (!s.required || s.byHand) && s.by != InitiatorSRS
}

// again asks the SRSs once more, after a wait.
func (s *Session) again() {
	m := &s.moving
	if !s.retry.waiting {
		s.retry.waiting = true
		if s.reason = reasonWaiting; m.why != "" {
			s.reason = reasonShort + m.why
		}
		m.tries = 1 // the first wait is due already
		s.client.metrics.waiting.WithLabelValues(s.recorder.Name).Inc()
		s.publish() // before anybody hears of it
		s.tell(EventWaiting, s.story())
		s.notify(metadata.StateWaiting, s.reason)
		s.log.Warn("call not recorded yet, it is tried again", "attempts", s.story())
	}
	m.target = s.target
	s.plan = nil
	s.round()
}

// whom is who is asked in a round, as things are when it begins: nobody when all
// are drained or have asked to be left alone, unless the call is over, or while the
// call has nothing to record.
func (s *Session) whom() []int {
	switch {
	case !s.lingers() && s.client.health.resting(s.recorder) > 0:
		return nil
	case s.taken:
		return s.substitutes(s.moving.target)
	case !s.streams.recordable():
		return nil
	}
	plan := s.order()
	s.retry.hope = s.retry.hope && len(plan) == 0
	return plan
}

// noteFirst notes what was said before an SRS took the session and could not be
// kept. Where nothing is to be kept, the time until the first answer is no loss.
func (s *Session) noteFirst() {
	for _, st := range s.streams.all {
		if s.moving.at.After(s.started) { // see Session.postpones
			st.gaps.add(Gap{From: s.started, To: s.moving.at, Cause: string(causeLost)})
		}
	}
	full := func(st *stream) bool { return st.numbers().Dropped[forker.DropBufferFull] > 0 }
	if s.retry.waiting || slices.ContainsFunc(s.streams.all, full) {
		s.retry.late = s.noteOverflow()
	}
	if s.retry.waiting {
		s.reason = ""
		s.endRetry()
		s.publish()
	}
}

func (s *Session) endRetry() {
	if s.retry.waiting {
		s.retry.waiting = false
		s.client.metrics.waiting.WithLabelValues(s.recorder.Name).Dec()
	}
}
