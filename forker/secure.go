package forker

import "sidetrack/internal/srtp"

// secrecy is what a flow needs so that its taps get clear packets, while the
// relay passes the sealed ones on. Guarded by the relay's mutex.
type secrecy struct {
	sealed bool         // the party sends SRTP, which passes
	ended  bool         // the party sends SRTP, which ends at its leg (terminate.go)
	opener *srtp.Opener // nil: there has been nothing to open
	refuse bool         // its key cannot be used
}

// set takes over what SDP says of the party's sending.
func (s *secrecy) set(r Remote) {
	s.ended = r.Ended && r.Secure
	if s.sealed = !r.Ended && (r.Secure || r.Key != nil); r.Ended {
		return
	}
	if s.opener == nil {
		if !s.sealed {
			return
		}
		s.opener = &srtp.Opener{}
	}
	s.refuse = s.opener.SetKey(r.Key, r.More...) != nil
}

// open gives the clear packet and its header; nil when it is not authentic or
// there is no key. Without taps nothing is opened, but the rollover counter is
// followed, so that a recording may begin at any time (RFC 3711 §3.3.1).
func (s *secrecy) open(b []byte, h *header, listeners bool) ([]byte, *header) {
	if !listeners {
		if h != nil {
			s.opener.Follow(b)
		}
		return nil, nil
	}
	if h == nil || s.refuse {
		return nil, nil
	}
	clear, err := s.opener.RTP(b)
	if err != nil {
		return nil, nil
	}
	own, ok := readHeader(clear)
	if !ok {
		return clear, nil
	}
	*h = own
	return clear, h
}
