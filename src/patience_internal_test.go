package src

import (
	"testing"
	"time"

	"sidetrack/internal/sip"
)

// An SRS that has said 100 to a session that moves to it, and is alone, is waited for three times as long, and not asked
// a second time meanwhile; then it is given up, and asked again. One of several is not waited for.
func TestSlowToTakeOver(t *testing.T) {
	moves := func(t *testing.T, srss []string, f func(x *timed, in *sip.Message)) {
		inFakeTime(t, SessionTimer{}, "", func(x *timed) {
			r := x.s.recorder
			r.MidCall, r.SRS, r.uris = MidCallMove, srss, srss
			x.do(func() { x.s.lose(loss{reason: "gone", gone: true}) })
			in := x.next(0, "INVITE")
			x.reply(in, 100)
			f(x, in)
		})
	}
	alone, two := []string{"sip:192.0.2.7"}, []string{"sip:192.0.2.7", "sip:192.0.2.7:5060"}
	t.Run("alone", func(t *testing.T) {
		moves(t, alone, func(x *timed, _ *sip.Message) {
			x.nothing(12*time.Second - time.Millisecond)
			x.reply(x.next(12*time.Second, "CANCEL"), 200)
			x.next(13*time.Second, "INVITE")
		})
	})
	t.Run("refuses late", func(t *testing.T) {
		moves(t, alone, func(x *timed, in *sip.Message) {
			x.nothing(9 * time.Second)
			x.reply(in, 503)
			x.next(9*time.Second, "ACK")
			x.next(10*time.Second, "INVITE")
		})
	})
	t.Run("one of two", func(t *testing.T) {
		moves(t, two, func(x *timed, _ *sip.Message) {
			x.nothing(4*time.Second - time.Millisecond)
			x.reply(x.next(4*time.Second, "CANCEL"), 200)
			x.next(4*time.Second, "INVITE")
		})
	})
}
