package src

// Whether a packet that was sent has been recorded, nobody tells. What was sent
// before an SRS last gave a sign of life counts as recorded; what was sent after
// that to an SRS that was then lost is at risk.

// causeLost is the cause of a gap: the SRS was lost, and with it what was sent
// since its last sign of life, or what could not be kept until another had
// taken the session.
const causeLost cause = "lost"

// copied is how many packets of the stream have left, to whichever SRS.
func (st *stream) copied() uint64 { return st.numbers().Copied }

// heard notes a sign of life.
func (s *Session) heard() {
	s.aliveAt = s.now()
	for _, st := range s.streams.all {
		st.sure = st.copied()
	}
}

// noteRisk is told of the loss of the SRS.
func (s *Session) noteRisk(l loss) {
	for _, st := range s.streams.all {
		n := st.numbers()
		st.lostBefore = lost(n.Dropped)
		if at := n.Copied - st.sure; at > 0 && !l.alive {
			st.risk += at
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
