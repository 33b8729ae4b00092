package peer

import (
	"slices"
	"sync"
)

// Sessions is what an SRS that takes everything has taken so far.
type Sessions struct {
	mu  sync.Mutex
	all []*Session
	end map[*Session]int // how each ended: 0 not yet, else how many BYEs or CANCELs
}

// AcceptAll makes the SRS answer whatever comes, on the reader's goroutine: recording INVITEs and their updates with
// 200, BYE, CANCEL, OPTIONS, INFO and UPDATE too. For tests in which the SRS is no part of the script.
func (r *Recorder) AcceptAll() *Sessions {
	s := &Sessions{end: map[*Session]int{}}
	r.Auto("INVITE", func(in *Incoming) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		session := s.find(in.Message)
		if session == nil {
			session = r.Take(in)
			s.all = append(s.all, session)
		} else {
			session.note(in)
		}
		in.Reply(200, WithSDP(session.Answer()))
		return true
	})
	r.Auto("ACK", func(*Incoming) bool { return true })
	for _, method := range []string{"BYE", "CANCEL"} {
		r.Auto(method, func(in *Incoming) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			if session := s.find(in.Message); session != nil {
				s.end[session]++
			}
			in.Reply(200)
			return true
		})
	}
	for _, method := range []string{"OPTIONS", "INFO", "UPDATE"} {
		r.AutoReply(method, 200)
	}
	return s
}

// find is the session of a request's Call-ID. The caller holds mu.
func (s *Sessions) find(m *Message) *Session {
	i := slices.IndexFunc(s.all, func(session *Session) bool { return session.Dialog.CallID == m.CallID() })
	if i < 0 {
		return nil
	}
	return s.all[i]
}

// Taken is how many sessions began, Ended how many of them were ended by the SRC.
func (s *Sessions) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// Ended is how many sessions the SRC has hung up.
func (s *Sessions) Ended() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.end)
}

// Number is the n-th session, from 0.
func (s *Sessions) Number(n int) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[n]
}

// Directions is what was offered last in that session, by m-line.
func (s *Sessions) Directions(of *Session) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of.Directions()
}
