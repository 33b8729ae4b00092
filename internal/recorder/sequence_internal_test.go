package recorder

import (
	"testing"
	"time"
)

// Numbers that are as far ahead as the timestamps, but not for as long as nothing came, have begun anew: no loss is made up.
func TestSequencerOutageTakesItsTime(t *testing.T) {
	const missing = 33_000
	for _, gap := range []time.Duration{missing * ms, missing * 300 * ms} { // packets each millisecond, and three a second
		var r receiver
		r.deliver = func(*packet, uint64) {}
		for i := range 100 {
			at := time.Duration(i) * 20 * ms
			if i >= 50 {
				i, at = i+missing, at+gap
			}
			r.receive(datagram(uint16(i), uint32(160*i), 7), at)
		}
		r.flush()
		if r.n.packets != 100 || r.n.lost != 0 || r.n.restarts != 1 {
			t.Errorf("after %v: %+v", gap, r.n)
		}
	}
}
