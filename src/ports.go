package src

import (
	"errors"

	"sidetrack/forker"
	"sidetrack/metadata"
)

// Each copy takes a pair of ports. Where none are free now, some are when a call has ended:
// a recording waits for them to begin, and a stream of one that has begun is copied later.

// postponed takes an error that nothing can be copied for want of ports for a failure to
// begin like any other. It reports whether it is tried again. Half a call is not kept
// meanwhile: who can be copied whole needs the ports.
func (s *Session) postponed(err error) bool {
	if s.retry.hope = true; !s.retries() {
		return false
	}
	s.streams.close()
	s.moving.why = err.Error()
	s.again()
	return true
}

// postpones tries again, and reports whether there is nothing to be copied still. What
// is said is kept from now on.
func (s *Session) postpones() bool {
	if s.taken || s.attempt != nil {
		return false
	}
	if err := s.fork(); errors.Is(err, forker.ErrNoPorts) && !s.streams.tapped() { // half a call is worth a recording now
		return true
	}
	s.moving.at = s.now()
	return false
}

// portsLater looks again for ports for the copy of a stream that has none, as long as
// there is one.
func (s *Session) portsLater() {
	if s.state != metadata.StateEnded && s.updates.ports == nil {
		s.updates.ports = s.lane.After(s.client.round, func() {
			s.updates.ports = nil
			if s.streams.untapped() {
				s.changed()
			}
		})
	}
}
