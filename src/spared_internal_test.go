package src

import (
	"testing"
	"time"
)

// An SRS that refuses what it is told, by itself or through a proxy, and does not answer OPTIONS either, is kept as long as it
// reports what it receives, as it used to.
func TestBusyAndReporting(t *testing.T) {
	reporting := func(x *timed) {
		x.do(func() { x.s.watch.reports = reports{n: habit, came: x.s.now().UnixNano(), gap: 2 * time.Second} })
	}
	refused := func(x *timed, at time.Duration, method string) {
		t.Helper()
		x.reply(x.next(at, method), 503)
		if method == "INVITE" {
			x.next(at, "ACK")
		}
	}
	inFakeTime(t, SessionTimer{}, "", func(x *timed) {
		reporting(x)
		x.rename("Bob")
		for _, at := range []time.Duration{0, 4 * time.Second, 12 * time.Second} { // the last report was at 0
			refused(x, at, "INVITE")
			refused(x, at, "OPTIONS")
		}
		x.reply(x.next(12*time.Second, "BYE"), 200)
	})
	inFakeTime(t, SessionTimer{}, "", func(x *timed) { // no answer
		reporting(x)
		x.rename("Bob")
		refused(x, 0, "INVITE")
		x.next(0, "OPTIONS")
		x.next(500*time.Millisecond, "OPTIONS")
		x.do(func() { x.s.watch.check.silent("no answer to OPTIONS") })
		x.do(func() {
			if x.s.leg == nil || x.s.updates.pending != nil {
				t.Error("left, or asked for a proof")
			}
		})
	})
	for _, reports := range []bool{true, false} {
		inFakeTime(t, SessionTimer{}, "", func(x *timed) {
			if reports {
				reporting(x)
			}
			x.do(func() { (&check{s: x.s, leg: x.s.leg}).prove() })
			refused(x, 0, "INVITE")
			if !reports {
				x.reply(x.next(0, "BYE"), 200)
				return
			}
			in := x.next(4*time.Second, "INVITE")
			x.reply(in, 200)
			x.next(4*time.Second, "ACK")
		})
	}
}
