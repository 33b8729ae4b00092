package txn_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// A lane that can take 100 new calls a second and is offered 300 goes on taking at least 80; what belongs to running
// calls is handled without much ado; the rest hears 503, and is not handled later.
func TestOverloadByTheWait(t *testing.T) {
	const perCall, offered, seconds = 10 * time.Millisecond, 300, 20
	play(t, func(b *bed) {
		synctest.Wait()
		taken, ended, worst := 0, 0, time.Duration(0)
		b.answer = func(tx *txn.ServerTx) {
			if tx.Request.Method == "INVITE" {
				time.Sleep(perCall) // the work of a call
				taken++
			} else {
				ended++
				var sent int64
				fmt.Sscan(tx.Request.Get("X-Sent"), &sent)
				if time.Duration(sent) > 5*time.Second { // it takes a while to know overload from a hiccup
					worst = max(worst, time.Since(b.began)-time.Duration(sent))
				}
			}
			tx.Reply(486, "")
		}
		b.lane.Enter("running")
		bring := func(n int, method, callID string, edits ...string) {
			m, err := sip.Parse(incoming(method, append([]string{"bKone", fmt.Sprintf("bK%s%d", method, n), "ID: in", "ID: " + callID}, edits...)...))
			if err != nil {
				t.Fatal(err)
			}
			m.Add("X-Sent", fmt.Sprint(int64(time.Since(b.began))))
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}, More: true})
		}
		for n := range offered * seconds {
			bring(n, "INVITE", fmt.Sprint(n))
			if n%10 == 0 {
				bring(n, "BYE", "running", "us@example.com>", "us@example.com>;tag=x")
			}
			time.Sleep(time.Second / offered)
		}
		b.pass(time.Second)
		refused := int(b.counter("sidetrack_sip_rejected_total", "reason", "overload"))
		t.Logf("%d of %d taken, %d refused; a BYE waited for %v at most", taken, offered*seconds, refused, worst)
		if taken < 80*seconds {
			t.Errorf("%d calls taken in %d s", taken, seconds)
		}
		if taken+refused != offered*seconds {
			t.Errorf("%d calls, %d taken and %d refused", offered*seconds, taken, refused)
		}
		if ended != offered*seconds/10 || worst > 500*time.Millisecond {
			t.Errorf("%d calls ended, one BYE waited for %v", ended, worst)
		}
	})
}

// A processor that was away for a second is no overload: what has waited is handled.
func TestHiccupIsNoOverload(t *testing.T) {
	play(t, func(b *bed) {
		synctest.Wait()
		b.lane.Post(func() { time.Sleep(time.Second) })
		time.Sleep(time.Millisecond)
		for n := range 50 {
			b.bring(n, true)
		}
		b.receive(incoming("INVITE"))
		b.pass(2 * time.Second)
		if len(b.requests) != 51 {
			t.Errorf("%d of 51 requests were handled", len(b.requests))
		}
	})
}

// When an overload is over, calls that come in bursts are taken again, all of them: they wait for each other, but not
// for long.
func TestOverloadEnds(t *testing.T) {
	play(t, func(b *bed) {
		synctest.Wait()
		b.answer = func(tx *txn.ServerTx) {
			time.Sleep(2 * time.Millisecond)
			tx.Reply(486, "")
		}
		n := 0
		bring := func() {
			n++
			m, err := sip.Parse(incoming("INVITE", "bKone", fmt.Sprintf("bK%d", n), "ID: in", fmt.Sprintf("ID: %d", n)))
			if err != nil {
				t.Fatal(err)
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}, More: true})
		}
		refused := func() float64 { return b.counter("sidetrack_sip_rejected_total", "reason", "overload") }
		for range 5000 { // twice what it can
			bring()
			time.Sleep(time.Millisecond)
		}
		if refused() == 0 {
			t.Error("nobody was refused while it was too much")
		}
		bursts := func(seconds int) {
			for range 2 * seconds {
				for range 150 {
					bring()
				}
				time.Sleep(time.Second / 2)
			}
		}
		bursts(3)
		before, taken := refused(), len(b.requests)
		bursts(5)
		if refused() != before || len(b.requests)-taken != 10*150 {
			t.Errorf("%v of 1500 were refused after the overload, %d taken", refused()-before, len(b.requests)-taken)
		}
	})
}
