package src

import (
	"testing"
	"time"
)

// An SRS that says when it wants to be asked again is not asked before, also when there is no other; an operator who
// enables it is heard within half a minute. One that says nothing is asked as ever.
func TestLeftAloneByRetryAfter(t *testing.T) {
	moves := func(f func(x *timed)) {
		inFakeTime(t, SessionTimer{}, "", func(x *timed) {
			x.s.recorder.MidCall = MidCallMove
			x.do(func() { x.s.lose(loss{reason: "gone", gone: true}) })
			f(x)
		})
	}
	refused := func(x *timed, at time.Duration, status int, headers ...string) {
		x.reply(x.next(at, "INVITE"), status, headers...)
		x.next(at, "ACK")
	}
	for _, status := range []int{500, 503} {
		moves(func(x *timed) {
			refused(x, 0, status, "Retry-After", "7")
			refused(x, 7*time.Second+time.Millisecond, status)
			refused(x, 9*time.Second+time.Millisecond, status)
		})
	}
	moves(func(x *timed) {
		refused(x, 0, 503, "Retry-After", "3600")
		x.nothing(45 * time.Second)
		x.s.client.health.drain("main", "sip:192.0.2.7", false) // enables it
		x.nothing(time.Minute - time.Millisecond)
		refused(x, time.Minute, 503)
	})
}
