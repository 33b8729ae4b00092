package txn_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

var errRefused = errors.New("connection refused")

func TestTransportFailures(t *testing.T) {
	t.Run("TCP refused", func(t *testing.T) {
		play(t, func(b *bed) {
			b.wire.dial = func(transport.Flow) (time.Duration, error) { return 0, errRefused }
			b.ask("INVITE", tcp())
			b.wantHeard("0s OnFail request could not be delivered: connection refused")
		})
	})
	t.Run("TCP closed before an answer", func(t *testing.T) {
		play(t, func(b *bed) {
			tx := b.ask("INVITE", tcp())
			b.wire.disconnect(tx.Target().Conn)
			synctest.Wait()
			b.wantHeard("0s OnFail request could not be delivered: EOF")
		})
	})
	t.Run("ICMP", func(t *testing.T) {
		play(t, func(b *bed) {
			first, other := b.ask("INVITE", udp()), b.ask("OPTIONS", txn.Target{Proto: "udp", Addr: peer2})
			ringing := b.ask("INVITE", udp())
			b.reply(ringing.Request(), 180, "x")
			second := b.ask("BYE", udp())
			b.restart()
			b.unreachable()
			b.pass(500 * time.Millisecond)
			b.unreachable()
			b.wantHeard("500ms OnFail request could not be delivered: connection refused, " +
				"500ms OnFail request could not be delivered: connection refused")
			if !first.Terminated() || !second.Terminated() || ringing.Terminated() || other.Terminated() {
				t.Error("the wrong ones failed")
			}
		})
	})
	t.Run("send error", func(t *testing.T) {
		play(t, func(b *bed) {
			b.wire.sendErr = func(transport.Flow) error { return errRefused }
			b.ask("INVITE", udp())
			b.pass(time.Second)
			b.wantHeard("500ms OnFail request could not be delivered: connection refused")
		})
	})
	t.Run("no listener", func(t *testing.T) {
		play(t, func(b *bed) {
			b.ask("INVITE", txn.Target{Proto: "udp", Addr: netip.MustParseAddrPort("[2001:db8::1]:5060")})
			b.ask("INVITE", txn.Target{Proto: "tcp"})
			b.wantHeard("0s OnFail request could not be delivered: no listener for this protocol and address family, " +
				"0s OnFail request could not be delivered: target has no address")
		})
	})
}

// What the network says once, anybody may have said, or it may be over when the request is repeated.
func TestOneErrorIsNotTheEnd(t *testing.T) {
	for _, method := range []string{"INVITE", "OPTIONS"} {
		play(t, func(b *bed) { // again and again of one datagram
			tx := b.ask(method, udp())
			for range 5 {
				b.unreachable()
			}
			b.pass(600 * time.Millisecond)
			b.reply(tx.Request(), 486, "x")
			b.wantHeard("600ms OnResponse 486")
		})
		play(t, func(b *bed) { // once, and then there is silence
			b.ask(method, udp())
			b.pass(time.Second)
			b.unreachable()
			b.pass(31 * time.Second)
			b.wantHeard("32s OnFail request could not be delivered, and no answer in time")
		})
		play(t, func(b *bed) { // of all that waited for an address that nobody has
			b.ask(method, udp())
			b.pass(3 * time.Second)
			b.unreachable()
			b.unreachable()
			b.wantHeard("3s OnFail request could not be delivered: connection refused")
		})
	}
}

// What one of our sockets cannot reach, another one may: an error ends what has left by the socket that it came to, under
// whatever name that was known.
func TestAnErrorIsThatOfOneSocket(t *testing.T) {
	play(t, func(b *bed) {
		inner := b.wire.listeners[0]
		outer := &transport.Listener{Proto: "udp", Bound: netip.MustParseAddrPort("198.51.100.1:5060"), Advertise: "198.51.100.1", Port: 5060}
		by := func(l *transport.Listener) *txn.ClientTx {
			to := udp()
			to.Listener = l
			return b.ask("INVITE", to)
		}
		one, other := by(inner), by(outer)
		for range 2 {
			b.pass(500 * time.Millisecond)
			b.wire.events.Failed(transport.Failure{Flow: transport.Flow{Proto: "udp", Listener: inner.Advertised("sip.example"), Remote: peer}, Err: errRefused})
			synctest.Wait()
		}
		if !one.Terminated() || other.Terminated() {
			t.Errorf("ended: that of the socket %t, that of the other %t", one.Terminated(), other.Terminated())
		}
	})
}

// OnFail never comes from within Request.
func TestFailureIsNotReentrant(t *testing.T) {
	play(t, func(b *bed) {
		b.wire.sendErr = func(transport.Flow) error { return errRefused }
		b.do(func() {
			tx := b.lane.Request(outgoing("INVITE"), udp(), b)
			if len(b.heard) > 0 {
				t.Error("OnFail before Request returned")
			}
			tx.Forget()
		})
		b.wantHeard("")
	})
}
