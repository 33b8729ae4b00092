package src

// What the call has not any more has been said all the same: a stream that ends while
// no SRS has the session stays offered until what is kept of it has left. Nothing new is
// copied meanwhile.
//
//	in the call ──gone──► leaving ──all sent, or the SRS does not want it──► disabled

// follow brings the streams into line with the call.
func (s *Session) follow() {
	s.streams.follow(s.cs)
	for _, st := range s.streams.all {
		switch {
		case !st.gone:
		case s.keeps(st):
			st.gone, st.leaving = false, true
		default:
			st.vanish()
		}
	}
}

// keeps tells whether something of a stream may still leave, for the next SRS to take the
// session, or the one that has and is catching up with an earlier end. What the call has
// encrypted leaves for none that is asked in clear. A stream that ends while an SRS has the
// session ends at once: what it still had to catch up with, of the seconds after a move, is
// lost and counted, for an SRS is not told of a dead stream as a live one.
func (s *Session) keeps(st *stream) bool {
	return st.tap != nil && st.tap.Stats().Buffered > 0 && (!st.secret || s.streams.secure) && (s.leg == nil && s.attempt != nil || st.leaving)
}

// vanish ends a stream that the call has not any more.
func (st *stream) vanish() {
	st.gone, st.leaving = true, false
	st.closeTap()
}

// part gives up the streams that were leaving and have left, or will not be let. What is
// withheld waits for the end of the pause.
func (s *Session) part() {
	left := false
	for _, st := range s.streams.all {
		if st.leaving && !s.paused && (!st.open || st.tap.Stats().Buffered == 0) {
			st.vanish()
			left = true
		}
	}
	if left {
		s.steer()
		s.changed()
	}
}
