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

// knowing knows one address; all others are strangers.
func knowing(who netip.AddrPort) func(transport.Flow) txn.Standing {
	return func(f transport.Flow) txn.Standing {
		if f.Remote == who {
			return txn.Known
		}
		return txn.Stranger
	}
}

// flooded is what comes in a flood: edits of an incoming request.
var flooded = map[string][]string{
	"INVITE":               {"INVITE"},
	"BYE of no call":       {"BYE", "us@example.com>", "us@example.com>;tag=x"},
	"re-INVITE of no call": {"INVITE", "us@example.com>", "us@example.com>;tag=x"},
}

// Whoever floods us with twice what can be handled, from ever new addresses and with whatever looks as if it belonged to
// a call: the calls of those whom we know are taken at once, all of them, as if nobody else were there, and so is what
// belongs to calls; and of the others no more wait than a few.
func TestWhoIsKnownComesFirst(t *testing.T) {
	for name, what := range flooded {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			knownComesFirst(t, what[0], what[1:]...)
		})
	}
}

func knownComesFirst(t *testing.T, method string, edits ...string) {
	const seconds, calls, flood, cost = 5, 10, 1000, 2 * time.Millisecond
	play(t, func(b *bed) {
		synctest.Wait()
		b.layer.SetKnown(knowing(peer))
		b.lane.Enter("running")
		taken, ended, worst := 0, 0, time.Duration(0)
		b.answer = func(tx *txn.ServerTx) {
			time.Sleep(cost)
			if tx.Flow.Remote != peer {
				tx.Refuse(403, "")
				return
			}
			var sent int64
			fmt.Sscan(tx.Request.Get("X-Sent"), &sent)
			worst = max(worst, time.Since(b.began)-time.Duration(sent))
			if tx.Request.CallID() == "running" {
				ended++
				tx.Refuse(200, "")
				return
			}
			taken++
			tx.Reply(486, "")
		}
		bring := func(n int, from netip.AddrPort, callID, method string, edits ...string) {
			m, err := sip.Parse(incoming(method, append([]string{"bKone", fmt.Sprintf("bK%s%s%d", method, callID, n), "ID: in", "ID: " + callID}, edits...)...))
			if err != nil {
				t.Fatal(err)
			}
			m.Add("X-Sent", fmt.Sprint(int64(time.Since(b.began))))
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: from}, More: true})
		}
		for n := range flood * seconds {
			bring(n, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 5060), fmt.Sprint("flood", n), method, edits...)
			if n%(flood/calls) == 0 {
				bring(n, peer, fmt.Sprint(n), "INVITE")
				bring(n, peer, "running", "BYE", "us@example.com>", "us@example.com>;tag=x")
			}
			time.Sleep(time.Second / flood)
		}
		held := b.layer.Transactions()
		b.pass(5 * time.Second)
		dropped := int(b.counter("sidetrack_sip_rejected_total", "reason", "overload"))
		t.Logf("%d of %d calls taken and %d ended, after %v at most; %d others of %d dropped", taken, calls*seconds, ended, worst, dropped, flood*seconds)
		if taken != calls*seconds || ended != calls*seconds || worst > 100*time.Millisecond {
			t.Errorf("%d of %d calls are taken, %d ended, one after %v", taken, calls*seconds, ended, worst)
		}
		if handled := len(b.requests) - taken - ended; handled+dropped != flood*seconds || handled < flood*seconds/3 {
			t.Errorf("of %d others %d are handled and %d dropped", flood*seconds, handled, dropped)
		}
		if held > calls*seconds+1 {
			t.Errorf("%d transactions are kept of %d calls", held, calls*seconds)
		}
	})
}

// An ACK or a response to nothing is neither handled nor takes the room of what belongs to calls.
func TestStraysTakeNoRoom(t *testing.T) {
	playWith(t, txn.Config{Lanes: 1, MailboxLimit: 10}, func(b *bed) {
		sent := b.ask("OPTIONS", udp())
		b.lane.Enter("running")
		b.lane.Post(func() { time.Sleep(time.Second) })
		time.Sleep(time.Millisecond) // it has begun
		bring := func(raw []byte, edits ...string) {
			m, err := sip.Parse([]byte(strings.NewReplacer(edits...).Replace(string(raw))))
			if err != nil {
				t.Fatal(err)
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}, More: true})
		}
		answer := sip.NewResponse(sent.Request(), 200, "").Bytes()
		for n := range 100 {
			bring(incoming("ACK"), "example.com>", "example.com>;tag=x", "ID: in", fmt.Sprint("ID: ", n))
			bring(answer, sent.Request().TopVia().Branch(), sip.NewBranch()+"abcdefgh")
			bring(answer, sent.Request().TopVia().Branch(), "z9hG4bK")
			bring(answer, "ID: out", "ID: other")
		}
		bring(incoming("BYE", "us@example.com>", "us@example.com>;tag=x", "ID: in", "ID: running"))
		bring(incoming("ACK", "us@example.com>", "us@example.com>;tag=x", "ID: in", "ID: running"))
		bring(answer)
		b.pass(time.Second)
		b.wantHeard("1s OnRequest BYE, 1s OnAck 3, 1s OnResponse 200")
		if n := b.counter("sidetrack_sip_rejected_total", "reason", "stray"); n != 400 {
			t.Errorf("%v strays", n)
		}
		if n := b.counter("sidetrack_sip_rejected_total", "reason", "overload"); n != 0 {
			t.Errorf("%v messages dropped", n)
		}
	})
}

// By connections nobody repeats what he has sent. When more come than can wait, strangers have an answer each, one way or
// the other, and what belongs to calls waits, and is not lost.
func TestStreamsAreAnswered(t *testing.T) {
	const many = 3000
	playWith(t, txn.Config{Lanes: 1, MailboxLimit: 100}, func(b *bed) {
		b.layer.SetKnown(func(transport.Flow) txn.Standing { return txn.Stranger })
		b.lane.Enter("running")
		flow := b.wire.connect(transport.Flow{Proto: "tls", Listener: b.wire.listeners[2], Remote: peer})
		b.answer = func(tx *txn.ServerTx) {
			time.Sleep(time.Millisecond)
			tx.Refuse(200, "")
		}
		b.lane.Post(func() { time.Sleep(time.Second) })
		time.Sleep(time.Millisecond) // it has begun
		bring := func(n int, method string, edits ...string) {
			m, err := sip.Parse(incoming(method, append(edits, "bKone", fmt.Sprint("bK", method, n))...))
			if err != nil {
				t.Error(err)
				return
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: flow, More: true})
		}
		for n := range many {
			bring(n, "REGISTER")
		}
		go func() {
			for n := range many {
				bring(n, "INFO", "us@example.com>", "us@example.com>;tag=x", "ID: in", "ID: running")
			}
		}()
		b.pass(time.Minute)
		count := map[string]int{}
		for _, p := range b.wire.packets() {
			if count[fmt.Sprint(p.msg.Status, p.msg.CSeq().Method)]++; p.msg.Status == 503 && p.msg.Get("Retry-After") == "" {
				t.Fatal("a 503 without Retry-After")
			}
		}
		t.Log(count)
		if count["200INFO"] != many || count["200REGISTER"] < 1000 || count["200REGISTER"]+count["503REGISTER"] != many {
			t.Errorf("of %d requests each: %v", many, count)
		}
	})
}

// Above its rate a source is told so by its connections, every time.
func TestRatesAreToldOnStreams(t *testing.T) {
	playWith(t, txn.Config{Lanes: 1, Rates: txn.Rates{PerSource: 5}}, func(b *bed) {
		b.proto, b.conn = "tcp", b.wire.connect(transport.Flow{Proto: "tcp", Listener: b.wire.listeners[1], Remote: peer}).Conn
		b.answer = func(tx *txn.ServerTx) { tx.Reply(200, "") }
		for n := range 3000 {
			b.receive(incoming("OPTIONS", "bKone", fmt.Sprint("bK", n), "ID: in", fmt.Sprint("ID: ", n)))
		}
		count := map[int]int{}
		for _, p := range b.wire.packets() {
			count[p.msg.Status]++
		}
		if count[200] != 5 || count[503] != 2995 {
			t.Errorf("answered %v", count)
		}
	})
}
