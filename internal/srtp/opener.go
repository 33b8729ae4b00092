package srtp

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

const (
	patience  = 5    // packets of a source that fail in a row before its counter is searched for
	linger    = 1024 // packets under new keys after which the former ones are forgotten
	maxFormer = 4    // former keys that are kept
)

// Errors of Opener.
var (
	ErrNoKey  = errors.New("no key")
	ErrAuth   = errors.New("not authentic")
	ErrReplay = errors.New("opened before, or too old to tell")
)

// Opener authenticates and decrypts what one party sends. The zero value has no
// key and opens nothing.
type Opener struct {
	// Once has each packet open one time only (RFC 3711 §3.3.2). Without it late
	// and repeated packets are opened, but not those far behind: a recording must
	// show what was sent, and nothing twice that somebody plays again later.
	Once bool

	locks      []*lock // keys in force, then former ones
	inForce    int
	fresh      int // packets that keys in force have opened since they came
	tracker    tracker
	header     rtp.Header
	control    rtcp.Header
	buf, spare []byte
}

// SetKey has the key used from now on; the one before still opens what is under
// way. The same key again changes nothing. nil takes all keys away. more are
// further keys of the same party, told apart by their MKI (RFC 4568 §6.1).
func (o *Opener) SetKey(k *Key, more ...*Key) error {
	if k == nil {
		o.locks, o.inForce = nil, 0
		return nil
	}
	keys := append([]*Key{k}, more...)
	if len(keys) == o.inForce && !slices.ContainsFunc(keys, func(k *Key) bool { return lockOf(o.locks[:o.inForce], k) == nil }) {
		return nil
	}
	var locks []*lock
	for _, k := range keys {
		l := lockOf(o.locks, k)
		if l == nil {
			var err error
			if l, err = newLock(k); err != nil {
				return err
			}
		}
		locks = append(locks, l)
	}
	inForce := len(locks)
	for _, l := range o.locks {
		if len(locks) < inForce+maxFormer && !slices.Contains(locks, l) {
			locks = append(locks, l)
		}
	}
	o.locks, o.inForce, o.fresh = locks, inForce, 0
	return nil
}

// Keyed tells whether there is a key.
func (o *Opener) Keyed() bool { return o.inForce > 0 }

// Follow counts a packet that nobody wants opened, so that the rollover counter
// is right when somebody does.
func (o *Opener) Follow(b []byte) {
	if len(b) < 12 {
		return
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	if s := o.tracker.find(ssrc); s != nil {
		s.advance(s.guess(seq))
		return
	}
	o.tracker.admit(ssrc, int64(seq))
}

// RTP opens a packet. What it returns is valid until the next call; b stays as
// it is.
func (o *Opener) RTP(b []byte) ([]byte, error) {
	if o.inForce == 0 {
		return nil, ErrNoKey
	}
	if len(b) < 12 {
		return nil, ErrAuth
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	s := o.source(ssrc)
	index := int64(seq)
	if s != nil {
		index = s.guess(seq)
	}
	for i, l := range o.locks {
		out, at, ok := o.search(l, s, b, ssrc, index)
		if !ok {
			continue
		}
		if !l.accept(ssrc, at, o.Once) {
			return nil, ErrReplay
		}
		o.opened(l, s, ssrc, at)
		o.age(i)
		return out, nil
	}
	o.refused(b, s)
	return nil, ErrAuth
}

// source finds a source, also one that was displaced since it was authentic.
func (o *Opener) source(ssrc uint32) *source {
	if s := o.tracker.find(ssrc); s != nil {
		return s
	}
	for _, l := range o.locks {
		if r := l.played[ssrc]; r != nil {
			s := o.tracker.admit(ssrc, r.top)
			s.proof = l
			return s
		}
	}
	return nil
}

// age forgets the former keys some time after the i-th key was of use.
func (o *Opener) age(i int) {
	if i >= o.inForce || len(o.locks) == o.inForce {
		return
	}
	if o.fresh++; o.fresh > linger {
		clear(o.locks[o.inForce:])
		o.locks = o.locks[:o.inForce]
	}
}

// search tries the rollover counters that the packet may have been sent with:
// the one that follows, and while that is not proven its neighbours, the key's
// own, and none, as which many begin again after a rekeying.
func (o *Opener) search(l *lock, s *source, b []byte, ssrc uint32, index int64) (out []byte, at int64, ok bool) {
	roc := index >> 16
	seq := index & 0xffff
	if out, ok = o.try(l, b, ssrc, roc); ok || s != nil && s.proof == l && s.failed < patience {
		return out, index, ok
	}
	for i, r := range [4]int64{l.roc, 0, roc + 1, roc - 1} {
		if r == roc || i > 0 && r == l.roc || i > 1 && r == 0 {
			continue
		}
		if out, ok = o.try(l, b, ssrc, r); ok {
			return out, r<<16 | seq, true
		}
	}
	return nil, 0, false
}

// try opens the packet with one rollover counter.
func (o *Opener) try(l *lock, b []byte, ssrc uint32, roc int64) ([]byte, bool) {
	if roc < 0 || roc > 1<<32-1 {
		return nil, false
	}
	if cap(o.buf) < len(b) {
		o.buf = make([]byte, max(2*len(b), 2048))
	}
	ctx := l.at(ssrc, uint32(roc))
	if ctx == nil {
		return nil, false
	}
	out, err := ctx.DecryptRTP(o.buf[:0], b, &o.header)
	return out, err == nil
}

// opened notes an authentic packet.
func (o *Opener) opened(l *lock, s *source, ssrc uint32, index int64) {
	if s == nil {
		s = o.tracker.admit(ssrc, index)
	}
	if s.proof != l || s.failed >= patience {
		s.high = index // what was believed may have been wrong
	}
	s.proof, s.failed = l, 0
	s.advance(index)
	l.roc = s.high >> 16
}

// refused notes a packet that is not.
func (o *Opener) refused(b []byte, s *source) {
	if s == nil || s.proof == nil {
		o.Follow(b)
		return
	}
	s.failed++
}

// RTCP opens an SRTCP packet (RFC 3711 §3.4), each once. What it returns is valid
// until the next call.
func (o *Opener) RTCP(b []byte) ([]byte, error) {
	if o.inForce == 0 {
		return nil, ErrNoKey
	}
	if len(b) < 8 {
		return nil, ErrAuth
	}
	for _, l := range o.locks {
		if cap(o.spare) < len(b) {
			o.spare = make([]byte, max(2*len(b), 512))
		}
		if out, ok := l.report(o.spare[:0], b, &o.control); ok {
			return out, nil
		}
	}
	return nil, ErrAuth
}
