package txn_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// bring hands over the n-th OPTIONS as a reader does that has read more, or has not.
func (b *bed) bring(n int, more bool) {
	m, err := sip.Parse(incoming("OPTIONS", "bKone", fmt.Sprintf("bK%d", n), "CSeq: 3", fmt.Sprintf("CSeq: %d", n)))
	if err != nil {
		panic(err)
	}
	b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}, More: more})
}

// A reader that finds the lane idle comes back with its message handled; one that has read more leaves it to the lane.
func TestReaderHandlesWhatComesToAnIdleLane(t *testing.T) {
	play(t, func(b *bed) {
		synctest.Wait() // the lane is idle
		b.bring(1, false)
		b.wantHeard("0s OnRequest OPTIONS")
		b.bring(2, true)
		b.bring(3, false)
		synctest.Wait()
		for i, tx := range b.requests {
			if got := tx.Request.CSeq().Num; got != uint32(i+1) {
				t.Errorf("request %d is CSeq %d", i+1, got)
			}
		}
		if len(b.requests) != 3 {
			t.Errorf("%d requests", len(b.requests))
		}
	})
}

// A timer set during a reader's visit is due in its time, though the lane's goroutine sleeps until a later one.
func TestTimersOfAVisit(t *testing.T) {
	play(t, func(b *bed) {
		b.do(func() { b.lane.After(time.Hour, func() {}) })
		b.answer = func(*txn.ServerTx) {
			b.lane.After(time.Second, func() { b.note("second") })
			b.lane.After(time.Millisecond, func() { b.note("millisecond") })
		}
		b.bring(1, false)
		b.pass(2 * time.Second)
		b.wantHeard("0s OnRequest OPTIONS, 1ms millisecond, 1s second")
	})
}

// Readers, writers and timers on one lane never meet: the race detector sees to it.
func TestTheTurnIsOneGoroutines(t *testing.T) {
	play(t, func(b *bed) {
		const each = 300
		posted := 0
		var wg sync.WaitGroup
		for r := range 4 {
			wg.Go(func() {
				for i := range each {
					b.bring(1+r*each+i, i%3 == 0)
				}
			})
			wg.Go(func() {
				for range each {
					b.lane.Post(func() {
						posted++
						b.lane.After(time.Microsecond, func() { posted++ })
					})
				}
			})
		}
		wg.Wait()
		b.pass(time.Second)
		if len(b.requests) != 4*each || posted != 2*4*each {
			t.Errorf("%d requests, %d posts and timers", len(b.requests), posted)
		}
	})
}

// A reader goes back to reading when the lane has more and more to do.
func TestVisitsAreShort(t *testing.T) {
	play(t, func(b *bed) {
		synctest.Wait()
		n := 0
		var again func()
		again = func() {
			if n++; n < 100_000 {
				b.lane.Post(again)
			}
		}
		b.answer = func(*txn.ServerTx) { again() }
		b.bring(1, false)
		b.bring(2, true)
		synctest.Wait()
		if n < 100_000 {
			t.Errorf("%d", n)
		}
	})
}

// In a crowd what belongs to a running call comes before what begins one; a CANCEL stays behind its INVITE.
func TestRunningCallsComeFirst(t *testing.T) {
	play(t, func(b *bed) {
		synctest.Wait()
		b.lane.Post(func() { time.Sleep(time.Millisecond) })
		time.Sleep(time.Microsecond) // it has begun
		b.lane.Enter("50")
		bring := func(method string, n int, edits ...string) {
			m, err := sip.Parse(incoming(method, append([]string{"bKone", fmt.Sprintf("bK%d", n), "ID: in", fmt.Sprintf("ID: %d", n), "CSeq: 3", fmt.Sprintf("CSeq: %d", n)}, edits...)...))
			if err != nil {
				t.Fatal(err)
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}, More: true})
		}
		for n := range 50 {
			bring("INVITE", n)
		}
		bring("CANCEL", 49)
		bring("BYE", 50, "us@example.com>", "us@example.com>;tag=x")
		b.pass(time.Second)
		var order []string
		for _, tx := range b.requests {
			order = append(order, fmt.Sprintf("%s %d", tx.Request.Method, tx.Request.CSeq().Num))
		}
		for n := range 50 {
			want := fmt.Sprintf("INVITE %d", n)
			if i := slices.Index(order, want); i != n && i != n+1 {
				t.Errorf("%s is number %d", want, i)
			}
		}
		if i := slices.Index(order, "BYE 50"); i < 0 || i >= 49 {
			t.Errorf("the BYE is number %d of %d", i, len(order))
		}
		if last := b.heard[len(b.heard)-1]; !strings.HasSuffix(last, "OnCancel") {
			t.Errorf("the CANCEL did not find its INVITE: %s", last)
		}
	})
}
