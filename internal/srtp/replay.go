package srtp

const (
	window     = 1024 // packets behind the newest; what is older is taken for a replay
	maxStreams = 1024 // SSRCs that a key may serve
)

// replays is the replay list of one SSRC under one key (RFC 3711 §3.3.2): which
// of the newest packet indices have been used.
type replays struct {
	top  int64
	seen [window / 64]uint64
}

func newReplays(index int64) *replays {
	r := &replays{top: index}
	r.set(index, true)
	return r
}

// old tells whether an index is too far behind to be known.
func (r *replays) old(index int64) bool { return index <= r.top-window }

// used tells whether an index must not be used again.
func (r *replays) used(index int64) bool {
	return r.old(index) || index <= r.top && r.seen[index/64%(window/64)]>>(index%64)&1 == 1
}

// use notes an index; those that are skipped may come later.
func (r *replays) use(index int64) {
	if index > r.top+window {
		r.seen = [window / 64]uint64{}
		r.top = index
	}
	for ; r.top < index; r.top++ {
		r.set(r.top+1, false)
	}
	if !r.old(index) {
		r.set(index, true)
	}
}

func (r *replays) set(index int64, used bool) {
	bit := uint64(1) << (index % 64)
	if used {
		r.seen[index/64%(window/64)] |= bit
	} else {
		r.seen[index/64%(window/64)] &^= bit
	}
}
