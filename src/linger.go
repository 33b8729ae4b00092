package src

import (
	"time"

	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// linger is the end of a recording whose call is over while something that was
// said in it is still kept: first words, or what has not been caught up with
// after a move. It leaves for the SRS, or for one that is just being asked,
// before the dialog ends; the call does not wait for it.
type linger struct {
	cs    *metadata.Snapshot // the call at its end
	until time.Time          // zero: the call is not over
	timer *txn.Timer
}

const (
	longestLinger = 10 * time.Second
	hurriedLinger = 2 * time.Second // when the client closes
	lingerEvery   = 50 * time.Millisecond
)

// lingers tells whether the call is over and the recording is not.
func (s *Session) lingers() bool { return !s.linger.until.IsZero() }

// owes tells whether something is kept that may still reach an SRS. What an
// operator has paused will not: nobody resumes a call that is over.
func (s *Session) owes() bool {
	if s.leg == nil && s.attempt == nil || s.paused {
		return false
	}
	for _, st := range s.streams.all {
		if st.tap != nil && (s.leg == nil || st.open) && st.tap.Stats().Buffered > 0 {
			return true
		}
	}
	return false
}

// onCallEnd ends the recording because its call has ended.
func (s *Session) onCallEnd(cs *metadata.Snapshot) {
	if s.state == metadata.StateEnded {
		return
	}
	s.linger.cs, s.linger.until = cs, s.now().Add(longestLinger)
	if s.leg != nil {
		s.force() // what has been said since a resume does not wait for the SRS to confirm it any more
	}
	if s.moving.timer != nil && s.owes() { // now or never
		s.moving.timer.Stop()
		s.proceed()
	}
	s.linger.tick(s)
}

// tick goes on as long as there is something to wait for.
func (l *linger) tick(s *Session) {
	l.timer = nil
	if s.state == metadata.StateEnded {
		return
	}
	if l.cs.Answered.IsZero() || !s.owes() || !s.now().Before(l.until) {
		s.conclude(l.cs)
		return
	}
	l.timer = s.lane.After(lingerEvery, func() { l.tick(s) })
}

// hurry shortens the wait.
func (l *linger) hurry(now time.Time) {
	if at := now.Add(hurriedLinger); at.Before(l.until) {
		l.until = at
	}
}
