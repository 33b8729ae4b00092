package recorder

import "time"

// reception is what a receiver report tells about one source (RFC 3550 §6.4.1,
// A.3, A.8).
type reception struct {
	received      int64 // datagrams, duplicates included
	priorReceived int64 // the same at the last report
	priorExpected int64
	transit       int64 // of the last packet, in timestamp units
	hasTransit    bool
	jitter        float64 // in timestamp units
	senderNTP     uint32  // middle 32 bits of the last sender report
	senderAt      time.Duration
	hasSender     bool
}

// arrived updates the jitter estimate.
func (r *reception) arrived(ts uint32, at time.Duration, clock int) {
	transit := int64(ticks(at, clock)) - int64(ts)
	if r.hasTransit {
		// The difference is taken modulo 2^32, as timestamps wrap.
		d := int64(int32(transit - r.transit))
		r.jitter += (float64(max(d, -d)) - r.jitter) / 16
	}
	r.transit, r.hasTransit = transit, true
}

// lostSince gives the loss since the last call as a fraction of 256.
func (r *reception) lostSince(expected int64) uint8 {
	e, got := expected-r.priorExpected, r.received-r.priorReceived
	r.priorExpected, r.priorReceived = expected, r.received
	if e <= 0 || got >= e {
		return 0
	}
	return uint8(min(255, (e-got)*256/e))
}

// ticks converts a time on the session's clock into timestamp units.
func ticks(d time.Duration, clock int) int64 {
	return int64(d/time.Second)*int64(clock) + int64(d%time.Second)*int64(clock)/int64(time.Second)
}
