package src

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/metadata"
)

// rename has the call's callee bear another name, which the SRS is told.
func (x *timed) rename(name string) {
	x.do(func() {
		cs := *x.s.cs
		cs.Callee.Name = name
		x.s.onSnapshot(&cs)
	})
}

// A refresh that is refused is repeated before the session is over, as often as it takes: 4 s later, then twice as long,
// or when the SRS says, but within a quarter of the interval.
func TestRefusedRefresh(t *testing.T) {
	inFakeTime(t, SessionTimer{}, "1800;refresher=uac", func(x *timed) {
		at := 900 * time.Second
		for _, again := range []struct {
			code int
			wait time.Duration
		}{{500, 4 * time.Second}, {488, 8 * time.Second}, {404, 16 * time.Second}} {
			x.reply(x.next(at, "INVITE"), again.code)
			x.next(at, "ACK")
			x.nothing(at + again.wait - time.Second)
			at += again.wait
		}
		x.reply(x.next(at, "INVITE"), 200, "Session-Expires", "1800;refresher=uac")
		x.next(at, "ACK")
		x.nothing(at + 899*time.Second)
		x.reply(x.next(at+900*time.Second, "INVITE"), 200)
		x.next(at+900*time.Second, "ACK")
		x.nothing(at + 24*time.Hour)
	})
	inFakeTime(t, SessionTimer{}, "100;refresher=uac", func(x *timed) {
		x.reply(x.next(50*time.Second, "INVITE"), 500, "Retry-After", "60")
		x.next(50*time.Second, "ACK")
		x.reply(x.next(75*time.Second, "INVITE"), 200)
		x.next(75*time.Second, "ACK")
	})
}

// What an SRS cannot take now it is told again, a few times; what it will not take waits for the next change.
func TestRefusedDocument(t *testing.T) {
	inFakeTime(t, SessionTimer{}, "", func(x *timed) {
		x.rename("Bob")
		x.reply(x.next(0, "INVITE"), 488)
		x.next(0, "ACK")
		x.nothing(time.Hour)
		at := time.Hour
		x.rename("Robert")
		x.reply(x.next(at, "INVITE"), 500, "Retry-After", "7")
		x.next(at, "ACK")
		for _, wait := range []time.Duration{7, 8, 16, 32, 64} {
			at += wait * time.Second
			x.reply(x.next(at, "INVITE"), 500)
			x.next(at, "ACK")
		}
		x.nothing(at + time.Hour)
		at += time.Hour
		x.rename("Rob")
		x.reply(x.next(at, "INVITE"), 200)
		x.next(at, "ACK")
		x.nothing(at + time.Hour)
		at += time.Hour
		x.rename("Bobby")
		x.reply(x.next(at, "INVITE"), 501) // for good
		x.next(at, "ACK")
		x.nothing(at + time.Hour)
	})
}

// A 100 is no sign of the SRS's life, nor is a refusal that may be a proxy's: that one is followed by a question.
func TestWhoSpeaks(t *testing.T) {
	for status, want := range map[int]bool{100: false, 180: false, 200: true, 404: true, 408: false, 481: false, 488: true, 491: true, 500: true,
		502: false, 503: false, 504: false, 600: true} {
		if speaks(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
	inFakeTime(t, SessionTimer{}, "", func(x *timed) {
		alive := func(at time.Duration) {
			t.Helper()
			x.do(func() {
				if got := x.s.aliveAt.Sub(x.ether.began); got != at {
					t.Errorf("alive at %v, wanted %v", got, at)
				}
			})
		}
		x.do(x.s.heard)
		x.nothing(8 * time.Second)
		x.rename("Bob")
		in := x.next(8*time.Second, "INVITE")
		x.reply(in, 100)
		alive(0)
		x.reply(in, 503)
		x.next(8*time.Second, "ACK")
		asked := x.next(8*time.Second, "OPTIONS")
		alive(0)
		x.nothing(8500*time.Millisecond - 1)
		x.next(8500*time.Millisecond, "OPTIONS") // repeated
		x.reply(asked, 200)
		alive(8500 * time.Millisecond)
		again := x.next(12*time.Second, "INVITE")
		x.reply(again, 503)
		x.next(12*time.Second, "ACK")
		x.reply(x.next(12*time.Second, "OPTIONS"), 503)
		x.reply(x.next(12*time.Second, "BYE"), 408)
		x.do(func() {
			if v := x.s.View(); v.State != metadata.StateEnded || v.Reason != "the SRS answered OPTIONS with 503" {
				t.Errorf("%s: %s", v.State, v.Reason)
			}
		})
	})
}

// An SRS that answers a re-INVITE so and no OPTIONS is asked once more by re-INVITE, and left when that is answered so, too.
func TestNobodySpeaks(t *testing.T) {
	inFakeTime(t, SessionTimer{}, "", func(x *timed) {
		x.rename("Bob")
		x.reply(x.next(0, "INVITE"), 504)
		x.next(0, "ACK")
		x.next(0, "OPTIONS")
		x.next(500*time.Millisecond, "OPTIONS")
		proof := x.next(time.Second, "INVITE")
		x.reply(proof, 504)
		x.next(time.Second, "ACK")
		x.reply(x.next(time.Second, "BYE"), 481)
		x.do(func() {
			if v := x.s.View(); v.State != metadata.StateEnded {
				t.Errorf("%s: %s", v.State, v.Reason)
			}
		})
	})
}

// Nor does the gauge of an SRS go by them: a proxy's 100 to each call would hide that it is down.
func TestUp(t *testing.T) {
	inFakeTime(t, SessionTimer{}, "", func(x *timed) {
		x.do(func() {
			srs, m := x.s.recorder.SRS[0], x.s.client.metrics
			up := func(after int, want float64) {
				t.Helper()
				if got := testutil.ToFloat64(m.up.WithLabelValues("main", srs)); got != want {
					t.Errorf("up is %v after %d", got, after)
				}
			}
			for _, dead := range []int{408, 502, 503, 504} {
				m.attempt("main", srs, 200)
				up(200, 1)
				m.attempt("main", srs, dead)
				up(dead, 0)
			}
			req := sip.NewRequest("INVITE", srs)
			for _, said := range []struct {
				status int
				up     float64
			}{{100, 0}, {180, 1}} {
				newAttempt(x.s, srs).OnResponse(nil, sip.NewResponse(req, said.status, ""), transport.Flow{})
				up(said.status, said.up)
			}
		})
	})
}
