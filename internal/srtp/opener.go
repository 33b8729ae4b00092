package srtp

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

const (
	window      = 1000 // packets behind the newest; what is older is taken for a replay
	patience    = 5    // packets of a source that fail in a row before its counter is searched for
	maxContexts = 64   // unproven SSRCs that a transform's state may hold
)

// Errors of Opener.
var (
	ErrNoKey  = errors.New("no key")
	ErrAuth   = errors.New("not authentic")
	ErrReplay = errors.New("too old: perhaps a replay")
)

// Opener authenticates and decrypts what one party sends. The zero value has no
// key and opens nothing.
type Opener struct {
	current, former *lock
	tracker         tracker
	header          rtp.Header
	control         rtcp.Header
	buf, spare      []byte
}

// lock is one key at work.
type lock struct {
	key     *Key
	ctx     *srtp.Context
	roc     int64 // of the newest packet it has opened
	strange int   // SSRCs that its context knows for having been tried only
}

func newLock(k *Key) (*lock, error) {
	ctx, err := k.context()
	if err != nil {
		return nil, err
	}
	return &lock{key: k, ctx: ctx}, nil
}

// SetKey has the key used from now on; the one before still opens what is under
// way. The same key again changes nothing. nil takes all keys away.
func (o *Opener) SetKey(k *Key) error {
	switch {
	case k == nil:
		o.current, o.former = nil, nil
		return nil
	case o.current != nil && o.current.key.Equal(k):
		return nil
	case o.former != nil && o.former.key.Equal(k):
		o.current, o.former = o.former, o.current
		return nil
	}
	l, err := newLock(k)
	if err != nil {
		return err
	}
	o.current, o.former = l, o.current
	return nil
}

// Keyed tells whether there is a key.
func (o *Opener) Keyed() bool { return o.current != nil }

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
// it is. Late and repeated packets are opened, too, but not those far behind
// (RFC 3711 §3.3.2): a recording must show what was sent, and nothing twice that
// somebody plays again later.
func (o *Opener) RTP(b []byte) ([]byte, error) {
	if o.current == nil {
		return nil, ErrNoKey
	}
	if len(b) < 12 {
		return nil, ErrAuth
	}
	seq, ssrc := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:])
	s := o.tracker.find(ssrc)
	index := int64(seq)
	if s != nil {
		index = s.guess(seq)
	}
	for _, l := range [2]*lock{o.current, o.former} {
		if l == nil {
			continue
		}
		out, at, ok := o.search(l, s, b, ssrc, index)
		if !ok {
			continue
		}
		if s != nil && s.proof == l && at < s.top-window {
			return nil, ErrReplay
		}
		o.opened(l, s, ssrc, at)
		return out, nil
	}
	o.refused(b, s)
	return nil, ErrAuth
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
	if _, known := l.ctx.ROC(ssrc); known || roc > 0 {
		if !known && !l.reserve() {
			return nil, false
		}
		l.ctx.SetROC(ssrc, uint32(roc))
	}
	if cap(o.buf) < len(b) {
		o.buf = make([]byte, max(2*len(b), 2048))
	}
	out, err := l.ctx.DecryptRTP(o.buf[:0], b, &o.header)
	return out, err == nil
}

// reserve bounds what SSRCs that were never authentic take up.
func (l *lock) reserve() bool {
	if l.strange++; l.strange <= maxContexts {
		return true
	}
	ctx, err := l.key.context()
	if err != nil {
		return false
	}
	l.ctx, l.strange = ctx, 1
	return true
}

// opened notes an authentic packet.
func (o *Opener) opened(l *lock, s *source, ssrc uint32, index int64) {
	if s == nil {
		s = o.tracker.admit(ssrc, index)
	}
	if s.proof != l || s.failed >= patience {
		s.high = index // what was believed may have been wrong
	}
	if s.proof != l {
		s.proof, s.top = l, index
	}
	s.top = max(s.top, index)
	s.failed = 0
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

// RTCP opens an SRTCP packet (RFC 3711 §3.4). What it returns is valid until the
// next call.
func (o *Opener) RTCP(b []byte) ([]byte, error) {
	if o.current == nil {
		return nil, ErrNoKey
	}
	for _, l := range [2]*lock{o.current, o.former} {
		if l == nil {
			continue
		}
		if cap(o.spare) < len(b) {
			o.spare = make([]byte, max(2*len(b), 512))
		}
		if out, err := l.ctx.DecryptRTCP(o.spare[:0], b, &o.control); err == nil {
			return out, nil
		}
	}
	return nil, ErrAuth
}
