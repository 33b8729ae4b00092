package forker

import "time"

// meter bounds what a port takes from its party (Config.MaxRate): a count of
// packets that is looked at, beside the clock, only when it has run out, or is more than
// a reload permits. When less than a second has passed by then, the rest of that second is
// dropped. Guarded by the relay's mutex.
type meter struct {
	left  uint32 // packets until the clock is looked at
	since int64  // when the count began; 0: there has been none
}

const (
	rateWindow = int64(time.Second)
	unbounded  = 1 << 16 // packets that a port without a bound counts in one go
)

// takes counts a packet of the party, and tells whether it is still within the rate.
func (m *meter) takes(limit, now int64) bool {
	if limit > 0 && int64(m.left) > limit { // it was another one before
		*m = meter{}
	}
	if m.left == 0 {
		switch {
		case limit <= 0:
			limit = unbounded
		case m.since != 0 && now-m.since < rateWindow:
			return false
		}
		m.left, m.since = uint32(limit), now
	}
	m.left--
	return true
}

// paced tells whether a packet that was admitted may go on.
func (r *route) paced(now int64) bool {
	if r.meter.takes(r.relay.engine.maxRate.Load(), now) {
		return true
	}
	r.flow.counts.excess++
	r.relay.engine.totals.excess[r.from.side].Add(1)
	return false
}
