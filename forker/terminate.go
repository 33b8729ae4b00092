package forker

import (
	"errors"
	"slices"

	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

// ending is the SRTP of a leg where it ends (Remote.Ended): what the party sends
// is opened, what goes to it is sealed, RTCP included, and what cannot be is
// dropped. The other leg and the taps see clear packets. Guarded by the relay's
// mutex.
type ending struct {
	in      srtp.Opener
	sealers []ownSealer  // a key goes on where it was when it comes back; the latest last
	out     *srtp.Sealer // one of them; nil: there is no key

	dtls         *association // where the keys come from; nil: they are signalled
	associations []*association
}

type ownSealer struct {
	key *srtp.Key
	*srtp.Sealer
}

// ends takes over what SDP says of the leg's SRTP. What was there before stays
// for when it is encrypted again.
func (l *leg) ends(relay *Relay, r Remote) {
	if l.srtp = nil; !r.Ended || !r.Secure || !r.RTPKind {
		return
	}
	if l.ended == nil {
		l.ended = &ending{in: srtp.Opener{Once: true}}
	}
	l.srtp = l.ended
	if r.DTLS != nil {
		l.srtp.associate(relay, l, r.DTLS)
		return
	}
	l.srtp.dtls = nil
	l.srtp.key(r.Own, r.Key, r.More...)
}

// key puts keys in force; nil and nil: none.
func (e *ending) key(own, theirs *srtp.Key, more ...*srtp.Key) {
	if err := e.in.SetKey(theirs, more...); err != nil {
		_ = e.in.SetKey(nil) // never fails
	}
	e.out = e.sealer(own)
}

// maxSealers bounds the keys of ours that a leg remembers. Whoever gives them forgets
// them sooner: under one that was forgotten and came back, indexes would be used twice.
const maxSealers = 128

func (e *ending) sealer(k *srtp.Key) *srtp.Sealer {
	for i, s := range e.sealers {
		if s.key.Equal(k) {
			e.sealers = append(slices.Delete(e.sealers, i, i+1), s)
			return s.Sealer
		}
	}
	if k == nil {
		return nil
	}
	s, err := srtp.NewSealer(k)
	if err != nil {
		return nil
	}
	s.Renumber = true
	if len(e.sealers) >= maxSealers {
		e.sealers = slices.Delete(e.sealers, 0, 1)
	}
	e.sealers = append(e.sealers, ownSealer{k, s})
	return s
}

// opens gives a datagram of the party in clear, with its header if it is RTP;
// nil when it is to be dropped. b stays as it is.
func (r *route) opens(b []byte, h *header, control bool) ([]byte, *header) {
	e := r.from.srtp
	if e.dtls != nil && dtls.Is(b) && !r.control {
		e.dtls.heard(r.relay, r.from, b)
		return nil, nil
	}
	var clear []byte
	var err error
	switch {
	case control:
		clear, err = e.in.RTCP(b)
	case h != nil:
		clear, err = e.in.RTP(b)
	default:
		err = srtp.ErrAuth // whatever it is, it has no place on this leg
	}
	if err == nil && h != nil {
		var ok bool
		if *h, ok = readHeader(clear); !ok {
			err = srtp.ErrAuth
		}
	}
	if err != nil {
		r.flow.locked(r, err)
		return nil, nil
	}
	return clear, h
}

// locked counts a packet that is neither passed on nor copied.
func (f *flow) locked(r *route, err error) {
	t := &r.relay.engine.totals
	switch {
	case errors.Is(err, srtp.ErrReplay), errors.Is(err, srtp.ErrUsed):
		f.counts.replayed++
		t.replayed[r.from.side].Add(1)
	case errors.Is(err, srtp.ErrAuth):
		f.counts.forged++
		t.forged[r.from.side].Add(1)
	default:
		f.counts.unkeyed++
		t.unkeyed[r.from.side].Add(1)
	}
}

// seals makes SRTP or SRTCP of a clear datagram that goes to the party; nil when
// it must not leave. b stays as it is.
func (e *ending) seals(b []byte, control bool) (out []byte, err error) {
	switch {
	case e.out == nil:
		return nil, srtp.ErrNoKey
	case len(b) == 0 || b[0]>>6 != 2:
		return nil, srtp.ErrNoKey // no RTP: no key would seal it
	case control:
		return e.out.RTCP(b)
	}
	return e.out.RTP(b)
}

// RolledOver tells whether the sequence numbers of what goes to a side under the key in
// force have begun anew, on any of its streams: who has not had that key from the start
// cannot open it (RFC 3711 §3.3.1).
func (r *Relay) RolledOver(side Side) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.streams, func(s *stream) bool {
		e := s.legs[side].srtp
		return e != nil && e.out != nil && e.out.RolledOver()
	})
}
