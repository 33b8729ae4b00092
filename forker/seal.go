package forker

import (
	"errors"

	"sidetrack/internal/srtp"
)

// seal is the SRTP of a copy: ours, with keys that have nothing to do with the
// call's (RFC 7866 §12.2). The zero value leaves packets as they are. Guarded by
// the relay's mutex.
type seal struct {
	own, theirs *srtp.Key
	out         *srtp.Sealer
	in          *srtp.Opener // of the recorder's RTCP; nil: there has been no key
	refused     DropReason   // why the last packet must not leave
}

// Seal has copies and RTCP leave as SRTP under the key own, and takes the
// recorder's RTCP for what theirs opens; nil and nil: in clear. It is to be
// called before SendTo. The same key again goes on where it was. With an error,
// of a key that cannot be used, nothing has changed.
func (t *Tap) Seal(own, theirs *srtp.Key) error {
	t.relay.mu.Lock()
	defer t.relay.mu.Unlock()
	return t.seal.set(own, theirs)
}

func (s *seal) set(own, theirs *srtp.Key) error {
	var out *srtp.Sealer
	switch {
	case own == nil:
	case s.own.Equal(own):
		out = s.out
	default:
		var err error
		if out, err = srtp.NewSealer(own); err != nil {
			return err
		}
	}
	if s.in == nil && theirs != nil {
		s.in = &srtp.Opener{}
	}
	if s.in != nil {
		if err := s.in.SetKey(theirs); err != nil {
			return err
		}
	}
	s.own, s.theirs, s.out = own, theirs, out
	return nil
}

// packet seals a copy. ok is false when it must not leave.
func (s *seal) packet(b []byte) (out []byte, ok bool) {
	if s.out == nil {
		return b, true
	}
	out, err := s.out.RTP(b)
	if s.refused = DropError; errors.Is(err, srtp.ErrUsed) {
		s.refused = DropLate // twice the same number: no key may seal that
	}
	return out, err == nil
}

// control seals RTCP.
func (s *seal) control(b []byte) (out []byte, ok bool) {
	if s.out == nil {
		return b, true
	}
	out, err := s.out.RTCP(b)
	return out, err == nil
}

// open opens the recorder's RTCP.
func (s *seal) open(b []byte) (out []byte, ok bool) {
	if s.out == nil {
		return b, true
	}
	if s.in == nil {
		return nil, false
	}
	out, err := s.in.RTCP(b)
	return out, err == nil
}
