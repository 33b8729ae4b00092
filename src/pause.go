package src

import (
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// cause says why a recording is paused.
type cause string

const (
	causeHold     cause = "hold"
	causeOperator cause = "operator"
	causeMask     cause = "mask" // of a gap only
	causeSRS      cause = "srs"  // of a gap only: what the SRS does is no pause of ours
)

// reasonLimit is of an EventResumed that nobody has asked for.
const reasonLimit = "limit"

// wanted tells whether we want to send a stream now: nobody has paused it. What
// the SRS wants is the stream's own affair.
func (s *Session) wanted(st *stream) bool {
	return !st.gone && !st.leaving && !s.paused && !(st.held && s.onHold != policy.OnHoldIgnore)
}

// sends tells whether a stream is to be offered as sent: a pause as silence
// changes nothing of what was agreed, nor does one that is not told.
func (s *Session) sends(st *stream) bool {
	return s.wanted(st) || st.leaving && !s.paused || !st.gone && (s.recorder.Pause != forker.PauseStop || s.recorder.Dialect.Hold == HoldNone)
}

// steer makes the taps follow, first of all, and then the state.
func (s *Session) steer() {
	s.steerTaps()
	if s.leg == nil {
		if s.state == metadata.StateMoving {
			s.call.sound()
			s.notify(s.audible(), s.moving.why)
		}
		return
	}
	s.showPause()
	s.publish()
}

func (s *Session) steerTaps() {
	for _, st := range s.streams.all {
		st.mute(s.masks)
		st.hide(s.masks.of(st.party), s.recorder.Mask)
		st.steer(s.wanted(st), s.paused)
	}
	s.noteGaps()
}

// showPause brings the state into line with the streams: a session is paused
// while we hold back every stream that it has. Hold and operator pause on
// their own; both must have ended before a stream is copied again. A pause that
// lasts over a move is told of once.
func (s *Session) showPause() {
	if s.state != metadata.StateRecording && s.state != metadata.StatePaused {
		return
	}
	silent := s.silent()
	if silent == s.hushed {
		return
	}
	s.hushed = silent
	if silent {
		why := s.pauseCause()
		s.client.metrics.pauses.WithLabelValues(s.recorder.Name, string(why)).Inc()
		s.enter(metadata.StatePaused, string(why))
		s.tell(EventPaused, string(why))
		s.log.Info("recording paused", "cause", why)
		return
	}
	s.enter(metadata.StateRecording, "")
	why := ""
	if s.limited {
		why = reasonLimit
	}
	s.tell(EventResumed, why)
	s.log.Info("recording resumed")
}

// enter is become for a state that it may be in.
func (s *Session) enter(state metadata.RecordingState, reason string) {
	if s.state != state {
		s.become(state, reason)
	}
}

func (s *Session) pauseCause() cause {
	if s.paused {
		return causeOperator
	}
	return causeHold
}

// audible is the state as the parties are to know it: of what is said while a
// recording moves in a pause nothing is kept.
func (s *Session) audible() metadata.RecordingState {
	if s.state == metadata.StateMoving && s.silent() {
		return metadata.StatePaused
	}
	return s.state
}

func (s *Session) silent() bool {
	any := false
	for _, st := range s.streams.all {
		if s.wanted(st) {
			return false
		}
		any = any || !st.gone && (!st.leaving || s.paused)
	}
	return any
}

// hides tells whether something of a stream is not for the SRS now, so that a tap
// made now must not take in a packet before steer has told it what.
func (s *Session) hides(st *stream) bool { return !s.wanted(st) || s.masks != masks{} }

// pause and resume are the operator's. Copies stop first, then the SRS is told
// (RFC 7866 §7.1.1.1): no copy leaves between the two, also of what was said before
// and is still kept for an SRS that is late or new. Resume lets that go, and then
// what is said from now on, which is kept until the SRS has agreed.
//
// A pause with a limit ends by itself; 0 is none. Asked for again, a pause goes
// on under the new limit.
func (s *Session) pause(limit time.Duration) error {
	if s.state == metadata.StateEnded || s.paused && limit == 0 {
		return ErrState
	}
	s.limit.Stop()
	if limit > 0 {
		s.limit = s.lane.After(limit, s.pauseOver)
	}
	if s.paused {
		return nil
	}
	s.paused = true
	s.onPause()
	return nil
}

// pauseOver ends a pause whose limit has come, in nobody's name.
func (s *Session) pauseOver() {
	s.limited = true
	err := s.resume()
	s.limited = false
	if err != nil {
		return
	}
	s.log.Info("the pause has come to its limit")
	s.client.cfg.OnAction(Action{
		Time: s.now(), Door: "timer", Role: "limit", Who: "limit", Action: policy.ActionResume, CallID: s.cs.ID, Recording: s.id,
	})
}

func (s *Session) resume() error {
	if !s.paused || s.state == metadata.StateEnded {
		return ErrState
	}
	s.limit.Stop()
	s.paused = false
	s.onPause()
	return nil
}

func (s *Session) onPause() {
	s.watchOver()
	s.steer()
	s.changed()
	s.publish()
}
