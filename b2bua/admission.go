package b2bua

import "sidetrack/policy"

// spareFiles is the share of the process's descriptors, one in so many, that is kept
// for what runs: the copies of calls that have just been answered, streams that come
// later, connections, DNS, the API. New calls get 503 in time, while those that were
// answered are recorded.
const spareFiles = 16

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
	if s.cfg.Files == 0 {
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

// room tells whether there are descriptors for a call that will have so many sockets
// for its media and their copies, besides what those that run will have in all. Each
// media port is one, and each connection; all else is little. A call that has not been
// answered yet has few of those that it will have.
func (s *Server) room(more int) bool {
	if s.cfg.Files == 0 {
		return true
	}
	ports := s.cfg.Media.Ports()
	running := max(ports.Used, int(s.sockets.Load()))
	return running+more+ports.Draining+s.cfg.Transport.Connections() <= s.cfg.Files-s.cfg.Files/spareFiles
}

// admit counts a call in, if there is room for it.
func (s *Server) admit(sockets int) bool {
	if s.drained.Load() || !s.room(sockets) {
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
