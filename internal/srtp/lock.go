package srtp

import (
	"encoding/binary"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"
)

// maxStrange is how many SSRCs a context for trying may know.
const maxStrange = 64

// lock is one key at work.
type lock struct {
	key     *Key
	ctx     *srtp.Context
	probe   *srtp.Context // for SSRCs that were never authentic; nil until needed
	strange int           // how many it knows
	roc     int64         // of the newest packet it has opened
	played  map[uint32]*replays
	told    map[uint32]struct{} // SSRCs of RTCP
}

func newLock(k *Key) (*lock, error) {
	ctx, err := k.context(srtp.SRTCPReplayProtection(64))
	if err != nil {
		return nil, err
	}
	return &lock{key: k, ctx: ctx, played: map[uint32]*replays{}, told: map[uint32]struct{}{}}, nil
}

// lockOf finds the lock of a key, nil when there is none.
func lockOf(locks []*lock, k *Key) *lock {
	for _, l := range locks {
		if l.key.Equal(k) {
			return l
		}
	}
	return nil
}

// at gives a context whose rollover counter for the source is roc. What a
// stranger makes us try stays out of the context that counts. nil: the key
// serves no further source.
func (l *lock) at(ssrc uint32, roc uint32) *srtp.Context {
	ctx := l.ctx
	if _, known := l.played[ssrc]; !known {
		switch {
		case len(l.played) >= maxStreams:
			return nil
		case roc == 0:
			return ctx // which is what it takes for an unknown SSRC
		}
		if ctx = l.probing(); ctx == nil {
			return nil
		}
	}
	ctx.SetROC(ssrc, roc)
	return ctx
}

func (l *lock) probing() *srtp.Context {
	if l.strange++; l.probe == nil || l.strange > maxStrange {
		ctx, err := l.key.context()
		if err != nil {
			return nil
		}
		l.probe, l.strange = ctx, 1
	}
	return l.probe
}

// report opens RTCP into dst. The context keeps something of each SSRC that was authentic.
func (l *lock) report(dst, b []byte, h *rtcp.Header) ([]byte, bool) {
	ssrc := binary.BigEndian.Uint32(b[4:])
	if _, known := l.told[ssrc]; !known && len(l.told) >= maxStreams {
		return nil, false
	}
	out, err := l.ctx.DecryptRTCP(dst, b, h)
	if err == nil {
		l.told[ssrc] = struct{}{}
	}
	return out, err == nil
}

// accept notes an authentic packet; false when it is a replay.
func (l *lock) accept(ssrc uint32, index int64, once bool) bool {
	r := l.played[ssrc]
	switch {
	case r == nil:
		l.played[ssrc] = newReplays(index)
	case once && r.used(index), r.old(index):
		return false
	default:
		r.use(index)
	}
	return true
}
