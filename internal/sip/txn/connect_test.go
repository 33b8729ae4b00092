package txn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// What waits for a connection leaves in the order in which it came, and before
// what comes when the connection is there.
func TestOrderWhileConnecting(t *testing.T) {
	play(t, func(b *bed) {
		b.wire.dial = func(transport.Flow) (time.Duration, error) { return time.Second, nil }
		var sent *txn.Sent
		b.do(func() {
			sent = b.lane.SendAck(outgoing("ACK"), tcp())
			b.lane.Request(outgoing("INFO"), tcp(), b)
			b.lane.Request(outgoing("BYE"), tcp(), b)
			sent.Resend() // nothing to resend yet
		})
		b.pass(time.Second)
		b.do(func() { b.lane.Request(outgoing("OPTIONS"), tcp(), b) })
		b.wantSent("1s ACK, 1s INFO, 1s BYE, 1s OPTIONS")
		b.wantDialed("tcp 192.0.2.9:5060 0s")
	})
}

func TestAckOf2xx(t *testing.T) {
	play(t, func(b *bed) {
		var sent *txn.Sent
		b.do(func() { sent = b.lane.SendAck(outgoing("ACK"), udp()) })
		b.do(sent.Resend)
		p := b.wire.packets()
		if len(p) != 2 || p[0].raw != p[1].raw || p[0].msg.TopVia().Branch() == "" {
			t.Errorf("sent %s", b.wire.ladder())
		}
		b.do(func() { sent = b.lane.SendAck(outgoing("ACK"), tcp()) })
		b.wire.disconnect(b.last().flow.Conn)
		synctest.Wait()
		b.do(sent.Resend)
		b.wantSent("0s ACK, 0s ACK, 0s ACK, 0s ACK")
	})
}

func TestTargetOfAFlow(t *testing.T) {
	play(t, func(b *bed) {
		b.stream()
		f := b.offer("OPTIONS").Flow
		b.ask("OPTIONS", txn.FlowTarget(f))
		if b.last().flow != f {
			t.Errorf("left by %+v, want %+v", b.last().flow, f)
		}
		b.wire.disconnect(f.Conn) // then a new one to the same peer
		synctest.Wait()
		b.ask("BYE", txn.FlowTarget(f))
		if got := b.last(); got.msg.Method != "BYE" || got.flow.Conn == f.Conn || got.flow.Remote != peer {
			t.Errorf("left by %+v", got.flow)
		}
	})
}

// An ACK that could not be sent leaves with the next 2xx, however often it failed before.
func TestAckThatWasNotSent(t *testing.T) {
	for name, to := range map[string]txn.Target{"udp": udp(), "tcp": tcp()} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.wire.sendErr = func(transport.Flow) error { return b.refusedFor(time.Second) }
				b.wire.dial = func(transport.Flow) (time.Duration, error) { return 0, b.refusedFor(time.Second) }
				var sent *txn.Sent
				b.do(func() { sent = b.lane.SendAck(outgoing("ACK"), to) })
				for range 5 { // 2xx
					b.pass(500 * time.Millisecond)
					b.do(sent.Resend)
				}
				b.wantSent("1.5s ACK, 2s ACK, 2.5s ACK")
				if p := b.wire.packets(); len(p) == 3 && (p[0].raw != p[2].raw || len(p[0].msg.List("Via")) != 1) {
					t.Errorf("sent as\n%s\nand as\n%s", p[0].raw, p[2].raw)
				}
				b.pass(time.Minute)
				b.do(sent.Resend)
				b.wantSent("1.5s ACK, 2s ACK, 2.5s ACK")
			})
		})
	}
}
