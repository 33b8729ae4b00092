package src

import (
	"time"

	"sidetrack/metadata"
)

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
			st.gaps.add(Gap{From: s.aliveAt, To: s.now(), Cause: string(causeLost), Packets: n - st.risk})
			st.risk = n
		}
	}
}

// noteOverflow tells the gap of a time without an SRS in which more was said than is
// kept, the new one, too, and reports whether there is any.
func (s *Session) noteOverflow() (any bool) {
	for _, st := range s.streams.all {
		if n := lost(st.numbers().Dropped); n > st.lostBefore {
			st.gaps.add(Gap{From: s.moving.at, To: s.now(), Cause: string(causeLost), Packets: n - st.lostBefore})
			any, s.updates.due = true, true
		}
	}
	return any
}

// replayed is how much from before an SRS's last sign of life the next one gets
// again (forker.Tap.Rewind).
const replayed = 2 * time.Second

// holdsFrom is the time from which on the next SRS gets the call, as near as
// that can be told before it has it.
func (s *Session) holdsFrom() time.Time {
	switch r := s.recorder; {
	case r.Replay > 0:
		from := s.aliveAt.Add(-replayed)
		if oldest := s.moving.at.Add(-r.Replay); from.Before(oldest) {
			from = oldest
		}
		if from.Before(s.takenAt) {
			from = s.takenAt
		}
		return from
	case r.Buffer >= 0:
		return s.moving.at
	}
	return s.now()
}

// losses is what was lost with an SRS, and no other has, as the document tells it.
func (s *Session) losses() (all []metadata.Gap) {
	for _, st := range s.streams.all {
		for _, g := range st.gaps.all {
			if g.Cause == string(causeLost) {
				all = append(all, metadata.Gap{Label: st.label, From: g.From, To: g.To, Packets: g.Packets, Cause: g.Cause})
			}
		}
	}
	return all
}
