package txn_test

import (
	"testing"
	"time"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// offer has the peer send a request and returns its transaction.
func (b *bed) offer(method string, edits ...string) *txn.ServerTx {
	b.t.Helper()
	n := len(b.requests)
	b.receive(incoming(method, edits...))
	if len(b.requests) != n+1 {
		b.t.Fatalf("%d new requests came up, want 1", len(b.requests)-n)
	}
	return b.requests[n]
}

func (b *bed) respond(tx *txn.ServerTx, status int) { b.do(func() { tx.Reply(status, "") }) }

func TestTrying(t *testing.T) {
	play(t, func(b *bed) {
		b.offer("INVITE")
		b.pass(199 * time.Millisecond)
		b.wantSent("")
		b.pass(time.Second)
		b.wantSent("200ms 100 INVITE")
		if b.last().msg.ToTag() != "" {
			t.Error("100 with a To-tag")
		}
		b.receive(incoming("INVITE"))
		b.wantSent("200ms 100 INVITE, 1.199s 100 INVITE")
	})
}

func TestNoTryingAfterResponse(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 180)
		b.pass(time.Minute)
		b.receive(incoming("INVITE"))
		b.wantSent("0s 180 INVITE, 1m0s 180 INVITE")
		b.wantHeard("0s OnRequest INVITE")
	})
}

func TestRetransmissionBefore100IsAnsweredAtOnce(t *testing.T) {
	play(t, func(b *bed) {
		b.offer("INVITE")
		b.pass(50 * time.Millisecond)
		b.receive(incoming("INVITE"))
		b.pass(time.Second)
		b.wantSent("50ms 100 INVITE")
	})
}

func TestTimersGandH(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 486)
		b.pass(40 * time.Second)
		b.wantSent("0s 486 INVITE, 500ms 486 INVITE, 1.5s 486 INVITE, 3.5s 486 INVITE, 7.5s 486 INVITE, 11.5s 486 INVITE, " +
			"15.5s 486 INVITE, 19.5s 486 INVITE, 23.5s 486 INVITE, 27.5s 486 INVITE, 31.5s 486 INVITE")
		if tx.Final() != 486 {
			t.Errorf("Final %d", tx.Final())
		}
		b.receive(incoming("INVITE")) // the old transaction is gone
		b.wantHeard("0s OnRequest INVITE, 40s OnRequest INVITE")
	})
}

func TestTimerI(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 486)
		b.pass(time.Second)
		b.receive(incoming("INVITE")) // answered at once, beside Timer G
		b.receive(incoming("ACK"))
		b.pass(4 * time.Second)
		b.receive(incoming("INVITE")) // absorbed in Confirmed
		b.receive(incoming("ACK"))
		b.wantSent("0s 486 INVITE, 500ms 486 INVITE, 1s 486 INVITE")
		b.wantHeard("0s OnRequest INVITE")
		b.pass(1100 * time.Millisecond)
		b.receive(incoming("INVITE"))
		b.wantHeard("0s OnRequest INVITE, 6.1s OnRequest INVITE")
	})
}

func TestStreamHasNoTimersGIJ(t *testing.T) {
	play(t, func(b *bed) {
		b.stream()
		b.respond(b.offer("INVITE"), 486)
		b.pass(10 * time.Second)
		b.receive(incoming("ACK"))
		b.respond(b.offer("OPTIONS", "one", "two"), 200)
		b.wantSent("0s 486 INVITE, 10s 200 OPTIONS")
		b.receive(incoming("INVITE"))
		b.receive(incoming("OPTIONS", "one", "two"))
		b.wantHeard("0s OnRequest INVITE, 10s OnRequest OPTIONS, 10s OnRequest INVITE, 10s OnRequest OPTIONS")
	})
}

// stream lets the peer use a TCP connection from now on.
func (b *bed) stream() {
	f := b.wire.connect(transport.Flow{Proto: "tcp", Listener: b.wire.Pick("tcp", peer.Addr()), Remote: peer})
	b.proto, b.conn = "tcp", f.Conn
}

func TestTimerJ(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("OPTIONS")
		b.receive(incoming("OPTIONS")) // Trying: absorbed
		b.respond(tx, 200)
		b.pass(31 * time.Second)
		b.receive(incoming("OPTIONS"))
		b.wantSent("0s 200 OPTIONS, 31s 200 OPTIONS")
		if p := b.wire.packets(); p[0].raw != p[1].raw {
			t.Error("a retransmission differs")
		}
		b.pass(2 * time.Second)
		b.receive(incoming("OPTIONS"))
		b.wantHeard("0s OnRequest OPTIONS, 33s OnRequest OPTIONS")
	})
}

func TestUnansweredRequestIsForgotten(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INFO")
		b.pass(38 * time.Second)
		b.respond(tx, 200)
		b.wantSent("")
		if b.counter("sidetrack_sip_rejected_total", "reason", "unanswered") != 1 {
			t.Error("not counted")
		}
	})
}

const resent2xx = "0s 200 INVITE, 500ms 200 INVITE, 1.5s 200 INVITE, 3.5s 200 INVITE, 7.5s 200 INVITE, 11.5s 200 INVITE, " +
	"15.5s 200 INVITE, 19.5s 200 INVITE, 23.5s 200 INVITE, 27.5s 200 INVITE, 31.5s 200 INVITE"

func TestNoAck(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			play(t, func(b *bed) {
				if proto == "tcp" {
					b.stream()
				}
				tx := b.offer("INVITE")
				tx.OnNoAck(func() { b.note("OnNoAck") })
				b.respond(tx, 200)
				b.pass(40 * time.Second)
				b.wantSent(resent2xx)
				b.wantHeard("0s OnRequest INVITE, 32s OnNoAck")
			})
		})
	}
}

func TestAckEndsTheResending(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		tx.OnNoAck(func() { b.note("OnNoAck") })
		b.respond(tx, 200)
		b.pass(time.Second)
		b.receive(incoming("ACK", "z9hG4bKone", "z9hG4bKack"))
		b.do(tx.Acked)
		b.pass(time.Minute)
		b.wantSent("0s 200 INVITE, 500ms 200 INVITE")
		b.wantHeard("0s OnRequest INVITE, 1s OnAck 3")
	})
}

// Some peers give the ACK of a 2xx the INVITE's branch; it must go up all the same.
func TestAckWithTheInvitesBranch(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 200)
		b.receive(incoming("ACK"))
		b.wantHeard("0s OnRequest INVITE, 0s OnAck 3")
	})
}

func TestTimerL(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.respond(tx, 200)
		b.do(tx.Acked)
		b.pass(31 * time.Second)
		b.receive(incoming("INVITE")) // absorbed: no new call, no response
		b.wantSent("0s 200 INVITE")
		b.wantHeard("0s OnRequest INVITE")
		b.pass(2 * time.Second)
		b.receive(incoming("INVITE"))
		b.wantHeard("0s OnRequest INVITE, 33s OnRequest INVITE")
	})
}

func TestOrderOfResponses(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.offer("INVITE")
		b.do(func() {
			tx.Reply(100, "")
			tx.Reply(180, "")
			tx.Reply(183, "")
			tx.Reply(200, "")
			tx.Reply(180, "") // too late
			tx.Reply(486, "") // too late
		})
		b.wantSent("0s 100 INVITE, 0s 180 INVITE, 0s 183 INVITE, 0s 200 INVITE")
		b.do(func() { tx.Reply(200, "") }) // another fork's
		b.wantSent("0s 100 INVITE, 0s 180 INVITE, 0s 183 INVITE, 0s 200 INVITE, 0s 200 INVITE")
	})
}
