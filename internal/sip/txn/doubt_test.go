package txn_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// by lists by which connections requests of a method left: "1 2", and "-" for UDP.
func (b *bed) by(method string) string {
	var list []string
	for _, p := range b.wire.packets() {
		switch {
		case p.msg.Method != method:
		case p.flow.Proto == "udp":
			list = append(list, "-")
		default:
			list = append(list, string(rune('0'+p.flow.Conn)))
		}
	}
	return strings.Join(list, " ")
}

// ring has a target ring that was reached by TCP.
func (b *bed) ring() *txn.ClientTx {
	tx := b.ask("INVITE", tcp())
	b.proto, b.conn = "tcp", tx.Target().Conn
	b.reply(tx.Request(), 180, "x")
	return tx
}

// A CANCEL leaves by the connection of its INVITE while that is open, though others do not use it any more: another one may
// lead to another server of the same address. Where it is of no use, the CANCEL goes by the next one as well.
func TestCancelLeavesByTheConnectionOfItsInvite(t *testing.T) {
	for name, tc := range map[string]struct {
		trouble func(b *bed, conn uint64) // before the CANCEL
		after   func(b *bed, cancel packet)
		want    string
	}{
		"in use": {nil, nil, "1"},
		"out of use, and answers": {func(b *bed, conn uint64) {
			b.wire.Retire(transport.Flow{Conn: conn}, 0)
		}, func(b *bed, cancel packet) { b.reply(cancel.msg, 200, "") }, "1"},
		"out of use, and silent": {func(b *bed, conn uint64) {
			b.wire.Retire(transport.Flow{Conn: conn}, 0)
		}, nil, "1 2"},
		"closed before": {func(b *bed, conn uint64) {
			b.wire.disconnect(conn)
			synctest.Wait()
		}, nil, "2"},
		"closed before the answer": {nil, func(b *bed, cancel packet) {
			b.wire.disconnect(cancel.flow.Conn)
			synctest.Wait()
		}, "1 2"},
		"closed, and there is no other at once": {func(b *bed, conn uint64) {
			refused := 0
			b.wire.dial = func(transport.Flow) (time.Duration, error) {
				if refused++; refused < 3 {
					return 0, errRefused
				}
				return 0, nil
			}
		}, func(b *bed, cancel packet) {
			b.wire.disconnect(cancel.flow.Conn)
			synctest.Wait()
		}, "1 2"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				tx := b.ring()
				if tc.trouble != nil {
					tc.trouble(b, b.conn)
				}
				b.do(func() { tx.Cancel() })
				if tc.after != nil {
					tc.after(b, b.last())
				}
				b.pass(20 * time.Second)
				if got := b.by("CANCEL"); got != tc.want {
					t.Errorf("left by %q, want %q", got, tc.want)
				}
				for _, p := range b.wire.packets() {
					if p.msg.Method == "CANCEL" && p.msg.TopVia().Branch() != tx.Request().TopVia().Branch() {
						t.Error("not the INVITE's branch")
					}
				}
				b.pass(5 * time.Minute)
				if n := b.layer.Transactions(); n != 0 {
					t.Errorf("%d transactions are left", n)
				}
			})
		})
	}
}

// When its INVITE is over, no connection is made for a CANCEL any more, whether it has lost its own already or does so then.
func TestCancelEndsWithItsInvite(t *testing.T) {
	for _, before := range []bool{true, false} {
		play(t, func(b *bed) {
			tx := b.ring()
			b.wire.dial = func(transport.Flow) (time.Duration, error) { return 2 * time.Second, nil }
			b.do(func() { tx.Cancel() })
			if before {
				b.wire.disconnect(b.conn)
				synctest.Wait()
			}
			b.reply(tx.Request(), 487, "x")
			n := len(b.wire.dialed())
			if !before {
				b.wire.disconnect(b.conn)
			}
			b.pass(time.Second)
			if kept := b.layer.Transactions(); kept != 0 {
				t.Errorf("before %t: %d transactions are left", before, kept)
			}
			b.pass(time.Minute)
			if got := len(b.wire.dialed()); got != n {
				t.Errorf("before %t: dialled %q", before, b.wire.dialed()[n:])
			}
			if got := b.by("CANCEL"); got != "1" {
				t.Errorf("before %t: left by %q", before, got)
			}
		})
	}
}

// One whom a large request has reached by TCP only now, after it was given up, is cancelled when he rings.
func TestCanceledProbeIsNotGivenUp(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.askLarge(udp())
		b.pass(time.Second)
		b.do(func() { tx.Cancel() })
		b.pass(2 * time.Second) // the patience with the probe is over
		b.wantHeard("")
		b.proto, b.conn = "tcp", tx.Target().Conn
		b.reply(tx.Request(), 180, "x")
		b.reply(b.last().msg, 200, "")
		b.reply(tx.Request(), 487, "x")
		b.wantSent("0s INVITE, 3s CANCEL, 3s ACK")
		b.wantHeard("3s OnResponse 180, 3s OnResponse 487")
	})
}

// While a probe waits for a new connection, in place of one that has closed, its patience does not ask for a second.
func TestProbeThatReconnectsGoesOutOnce(t *testing.T) {
	play(t, func(b *bed) {
		first := b.ask("OPTIONS", tcp())
		b.reply(first.Request(), 200, "x")
		b.restart()
		tx := b.askLarge(udp())
		if tx.Target().Conn != first.Target().Conn {
			t.Fatal("not reused")
		}
		b.pass(time.Second)
		b.wire.dial = func(transport.Flow) (time.Duration, error) { return 1800 * time.Millisecond, nil }
		b.wire.disconnect(tx.Target().Conn)
		b.pass(3 * time.Second)
		b.wantSent("0s INVITE, 2.8s INVITE")
	})
}
