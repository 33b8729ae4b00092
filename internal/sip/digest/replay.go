package digest

import (
	"sync"
	"time"
)

// replays know which answers to our nonces have been taken (RFC 7616 §3.4, nonce
// count): whoever has overheard one cannot use it again. Something is kept only
// of nonces that were answered rightly, for as long as they live. Its lock is a
// leaf.
type replays struct {
	mu          sync.Mutex
	now, before map[seal]*counts
	since       time.Time
	floor       int64 // nonces made before it are not taken any more: what was known of them is forgotten
}

// seal is what makes a nonce ours, and one of a kind.
type seal [16]byte

// counts are the numbers that have been used with a nonce: the highest, and which
// of those before it (bit 0: itself).
type counts struct {
	highest uint32
	seen    uint64
}

const maxAnswered = 1 << 17 // nonces per generation

// fresh notes the number of an answer and tells whether it is new. Numbers may
// come out of order (UDP), but not by more than a window of them.
func (r *replays) fresh(of seal, made int64, number uint32, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	full := len(r.now) >= maxAnswered
	if full {
		r.floor = now.Unix() + 1
	}
	if r.now == nil || full || now.Sub(r.since) > gateLife+time.Minute {
		r.before, r.now, r.since = r.now, map[seal]*counts{}, now
	}
	if made < r.floor {
		return false
	}
	c := r.now[of]
	if c == nil {
		if c = r.before[of]; c == nil {
			c = &counts{}
		}
		r.now[of] = c
	}
	return c.take(number)
}

func (c *counts) take(number uint32) bool {
	const window = 64
	switch behind := int64(c.highest) - int64(number); {
	case behind < 0:
		c.seen = c.seen<<uint(min(-behind, window)) | 1
		c.highest = number
	case behind >= window || c.seen&(1<<uint(behind)) != 0:
		return false
	default:
		c.seen |= 1 << uint(behind)
	}
	return true
}
