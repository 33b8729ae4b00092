package src

import "slices"

// With Recorder.Hedge the next SRS of the plan is asked before the one asked
// last has answered: whose 2xx comes first has the session, the others get
// CANCEL, or BYE when their 2xx crosses that. Each attempt has keys of its own.
//
//	srs1 ──INVITE───────────────────────────╳ CANCEL
//	srs2 ──── Hedge ──── INVITE ──── 2xx ──► has it

const reasonSlower = "another SRS took the session first"

// rivals are the attempts under way, oldest first.
type rivals []*attempt

// without takes an attempt out.
func (r rivals) without(a *attempt) rivals {
	return slices.DeleteFunc(r, func(o *attempt) bool { return o == a })
}

// hedge asks the next SRS as well when a has not been answered in time.
func (s *Session) hedge(a *attempt) {
	wait := s.recorder.Hedge
	if wait <= 0 || len(s.plan) == 0 {
		return
	}
	a.hedge = s.lane.After(wait, func() {
		if a.over || s.leg != nil || len(s.plan) == 0 {
			return
		}
		s.log.Debug("asking the next SRS as well", "slow", a.srs)
		s.ask(true)
	})
}

// win gives the session to the SRS of a. The others are given up.
func (s *Session) win(a *attempt) {
	s.rivals = s.rivals.without(a)
	s.giveUp(reasonSlower)
	s.countHedge(a, "won")
	s.attempt, s.target, s.srs, s.sipCallID = a, a.target, a.srs, a.callID
	s.version = a.offer.version
	s.load(a)
}

// giveUp ends all attempts that are under way.
func (s *Session) giveUp(reason string) {
	all := s.rivals
	s.rivals = nil
	for _, r := range all {
		s.countHedge(r, "lost")
		s.note(r, codeGaveUp, reason)
		r.abandon()
	}
}

// countHedge notes what came of an attempt that was made early.
func (s *Session) countHedge(a *attempt, result string) {
	if a.early {
		s.client.metrics.hedges.WithLabelValues(s.recorder.Name, result).Inc()
	}
}

// load has the streams use the keys of an attempt; keep has the attempt hold
// those that its offer was written with, where it has any.
func (s *Session) load(a *attempt) {
	s.sealed = a.sealed
	s.streams.secure = s.sealed || s.recorder.PlainCopy
	for i, st := range s.streams.all {
		st.crypt = crypt{}
		if i < len(a.keys) {
			st.crypt = a.keys[i]
		}
	}
}

func (a *attempt) keep() {
	if !a.sealed {
		return
	}
	a.keys = a.keys[:0]
	for _, st := range a.s.streams.all {
		a.keys = append(a.keys, st.crypt)
	}
}
