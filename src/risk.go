package src

// Whether a packet that was sent has been recorded, nobody tells. What was sent
// before an SRS last gave a sign of life counts as recorded. What was sent after
// that to an SRS that was then lost is at risk: the taps keep it
// (Recorder.Replay) and the next SRS gets it again.

// causeLost is the cause of a gap: the SRS was lost, and with it what was sent
// since its last sign of life and cannot be sent again, or what could not be
// kept until another had taken the session.
const causeLost cause = "lost"

// heard notes a sign of life.
func (s *Session) heard() {
	s.aliveAt = s.now()
	for _, st := range s.streams.all {
		if st.tap != nil {
			st.tap.Confirm()
		}
	}
}

// noteRisk is told of the loss of the SRS. What may be missing there is to be
// sent again.
func (s *Session) noteRisk(l loss) {
	for _, st := range s.streams.all {
		if st.tap == nil {
			continue
		}
		if l.alive {
			st.tap.Confirm()
		}
		st.tap.Rewind()
		st.lostBefore = lost(st.numbers().Dropped)
	}
	s.noteLost()
}

// noteLost tells the gaps of what was at risk and will not be sent again.
func (s *Session) noteLost() {
	for _, st := range s.streams.all {
		if n := st.numbers().AtRisk; n > st.risk {
			st.risk = n
			st.gaps.add(Gap{From: s.aliveAt, To: s.now(), Cause: string(causeLost)})
		}
	}
}

// noteOverflow tells the gap of a move that took longer than what is kept.
func (s *Session) noteOverflow() {
	for _, st := range s.streams.all {
		if lost(st.numbers().Dropped) > st.lostBefore {
			st.gaps.add(Gap{From: s.moving.at, To: s.now(), Cause: string(causeLost)})
		}
	}
}
