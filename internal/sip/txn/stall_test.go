package txn_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// An answer that came while the lane was away for longer than a transaction lives is one that came in time.
func TestAnswersOfAStallAreInTime(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("OPTIONS", udp())
		b.lane.Post(func() { time.Sleep(40 * time.Second) })
		time.Sleep(time.Second)
		b.reply(tx.Request(), 200, "t")
		b.pass(time.Minute)
		b.wantHeard("40s OnResponse 200")
	})
}

// What nobody has answered is over all the same.
func TestAStallOutlivesNobody(t *testing.T) {
	play(t, func(b *bed) {
		b.ask("OPTIONS", udp())
		b.lane.Post(func() { time.Sleep(40 * time.Second) })
		b.pass(time.Minute)
		b.wantHeard("40s OnFail no answer in time")
	})
}

// A CANCEL is taken where more waits than may of what begins something, be its INVITE known or waiting itself.
func TestCancelIsTakenWhereMuchWaits(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		playWith(t, txn.Config{Lanes: 1, MailboxLimit: 50}, func(b *bed) {
			b.proto, b.conn = proto, b.wire.connect(transport.Flow{Proto: "tcp", Listener: b.wire.listeners[1], Remote: peer}).Conn
			if proto == "udp" {
				b.proto = ""
			}
			bring := func(method string, n int) {
				b.receive(incoming(method, "bKone", fmt.Sprintf("bK%d", n), "ID: in", fmt.Sprintf("ID: %d", n)))
			}
			bring("INVITE", 0)
			b.lane.Post(func() { time.Sleep(time.Millisecond) })
			synctest.Wait()
			for n := range 120 {
				bring("INVITE", n+1)
			}
			bring("CANCEL", 0)
			bring("CANCEL", 1)
			b.pass(time.Second)
			if got := strings.Count(strings.Join(b.heard, " "), "OnCancel"); got != 2 {
				t.Errorf("%s: %d of 2 CANCELs were taken: %v", proto, got, b.heard[len(b.heard)-1])
			}
		})
	}
}

// A request of ours that comes back to us counts against nobody; one of somebody else with our branch does.
func TestWhatIsOursIsNotCounted(t *testing.T) {
	playWith(t, txn.Config{Lanes: 1, Rates: txn.Rates{PerSource: 1}}, func(b *bed) {
		b.do(func() { b.lane.Enter("out") })
		sent := func() []byte {
			req := outgoing("INFO")
			req.Set("To", "<sip:bob@example.com>;tag=b")
			b.do(func() { b.lane.Request(req, udp(), b) })
			return []byte(b.last().raw)
		}
		arrives := func(raw []byte, from netip.AddrPort) {
			m, err := sip.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: from}})
			synctest.Wait()
		}
		for range 50 {
			arrives(sent(), ours)
		}
		if len(b.requests) != 50 {
			t.Errorf("%d of 50 were taken", len(b.requests))
		}
		for range 50 {
			arrives(sent(), peer)
		}
		if n := len(b.requests) - 50; n > 10 {
			t.Errorf("%d of somebody else were taken", n)
		}
	})
	playWith(t, txn.Config{Lanes: 1, Rates: txn.Rates{PerSource: 1}}, func(b *bed) {
		for n := range 50 { // from our own address, as anything on this host may, and without our seal
			m, err := sip.Parse(incoming("INFO", "bKone", fmt.Sprintf("bK%d", n), "ID: in", fmt.Sprintf("ID: %d", n)))
			if err != nil {
				t.Fatal(err)
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: ours}})
			synctest.Wait()
		}
		if n := len(b.requests); n > 10 {
			t.Errorf("%d of 50 of somebody on our host were taken", n)
		}
	})
}
