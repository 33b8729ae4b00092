package b2bua

import "sidetrack/policy"

// Sockets that an audio stream has: towards each party two for RTP (package forker tells
// why) and one for RTCP, and for each of them that is copied.
const (
	streamSockets = 6
	copySockets   = 2
)

// socketsFor is how many sockets a call with one stream will have by what the rules say
// of it, recordings that begin only when somebody asks for them included. What a call
// has besides is seen as soon as it is there.
func (s *Server) socketsFor(in *policy.Invite) int {
	if s.cfg.Room == nil {
		return 0
	}
	n := streamSockets
	for _, w := range s.cfg.Policy().Decide(in).Wanted {
		if w.Tracks.Caller() {
			n += copySockets
		}
		if w.Tracks.Callee() {
			n += copySockets
		}
	}
	return n
}

// admit counts a call in, if there is room for it.
func (s *Server) admit(sockets int) bool {
	if s.drained.Load() || s.cfg.Room != nil && !s.cfg.Room(int(s.sockets.Load()), sockets) {
		return false
	}
	limit := s.settings.Load().MaxCalls
	if n := s.live.Add(1); limit > 0 && int(n) > limit {
		s.live.Add(-1)
		return false
	}
	s.active.Add(1)
	s.sockets.Add(int64(sockets))
	return true
}

// dismiss counts one out that has ended.
func (s *Server) dismiss(sockets int) {
	s.live.Add(-1)
	s.sockets.Add(-int64(sockets))
}
