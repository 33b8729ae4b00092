package txn_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// askLarge sends an INVITE of SIPREC's size.
func (b *bed) askLarge(to txn.Target) *txn.ClientTx {
	var tx *txn.ClientTx
	b.do(func() {
		m := outgoing("INVITE")
		m.SetBody("application/sdp", []byte(strings.Repeat("a=x\r\n", 800)))
		tx = b.lane.Request(m, to, b)
	})
	return tx
}

func (b *bed) wantDialed(want ...string) {
	b.t.Helper()
	if got := strings.Join(b.wire.dialed(), ", "); got != strings.Join(want, ", ") {
		b.t.Errorf("dialled %q, want %q", got, want)
	}
}

func TestLargeRequestTakesTCP(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.askLarge(udp())
		b.wantDialed("tcp 192.0.2.9:5060 300ms")
		if p := b.last(); p.flow.Proto != "tcp" || p.msg.TopVia().Transport != "TCP" {
			t.Errorf("left by %+v with Via %s", p.flow, p.msg.TopVia())
		}
		if got := tx.Target(); got.Proto != "tcp" || got.Conn == 0 {
			t.Errorf("target %+v", got)
		}
		b.askLarge(udp()) // the connection is there
		b.wantDialed("tcp 192.0.2.9:5060 300ms")
		b.wantSent("0s INVITE, 0s INVITE")
	})
}

func TestLargeRequestFallsBackToUDPAndRemembers(t *testing.T) {
	for name, tc := range map[string]struct {
		delay time.Duration
		err   error
		at    string
	}{
		"refused":       {0, errRefused, "0s"},
		"swallows SYNs": {time.Hour, nil, "300ms"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.wire.dial = func(transport.Flow) (time.Duration, error) { return tc.delay, tc.err }
				tx := b.askLarge(udp())
				b.pass(400 * time.Millisecond)
				b.wantSent(tc.at + " INVITE")
				if p := b.last(); p.flow.Proto != "udp" || p.msg.TopVia().Transport != "UDP" || len(p.msg.List("Via")) != 1 {
					t.Errorf("left by %+v with Via %s", p.flow, p.msg.TopVia())
				}
				b.reply(tx.Request(), 486, "x")
				b.restart()
				tx = b.askLarge(udp())
				b.wantSent("0s INVITE")
				b.wantDialed("tcp 192.0.2.9:5060 300ms")
				b.reply(tx.Request(), 486, "x")
				b.pass(11 * time.Minute)
				b.askLarge(udp())
				b.pass(400 * time.Millisecond)
				b.wantDialed("tcp 192.0.2.9:5060 300ms", "tcp 192.0.2.9:5060 300ms")
			})
		})
	}
}

func TestExplicitUDPIsNotProbed(t *testing.T) {
	play(t, func(b *bed) {
		to := udp()
		to.ExplicitUDP = true
		b.askLarge(to)
		b.wantDialed()
		b.wantSent("0s INVITE")
	})
}

// A host that takes connections and hangs up is no reason to lose the call.
func TestProbedConnectionThatClosesFallsBack(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.askLarge(udp())
		b.wire.disconnect(tx.Target().Conn)
		synctest.Wait()
		if p := b.last(); p.flow.Proto != "udp" || p.msg.TopVia().Transport != "UDP" {
			t.Errorf("left by %+v", p.flow)
		}
		b.reply(tx.Request(), 200, "x")
		b.wantHeard("0s OnResponse 200")
	})
}

// What takes connections and says nothing costs a large request two seconds, once: it goes on by UDP, as the next ones do.
func TestProbedConnectionThatIsSilentFallsBack(t *testing.T) {
	for _, method := range []string{"INVITE", "MESSAGE"} {
		play(t, func(b *bed) {
			large := func() (tx *txn.ClientTx) {
				m := outgoing(method)
				m.SetBody("text/plain", []byte(strings.Repeat("a=x\r\n", 800)))
				b.do(func() { tx = b.lane.Request(m, udp(), b) })
				return tx
			}
			tx := large()
			b.pass(3 * time.Second)
			b.wantSent("0s " + method + ", 2s " + method + ", 2.5s " + method)
			if p := b.last(); p.flow.Proto != "udp" || p.msg.TopVia().Transport != "UDP" {
				t.Errorf("left by %+v with Via %s", p.flow, p.msg.TopVia())
			}
			b.reply(tx.Request(), 486, "x")
			b.wantHeard("3s OnResponse 486")
			b.restart()
			tx = large()
			if p := b.last(); p.flow.Proto != "udp" {
				t.Errorf("the next left by %+v", p.flow)
			}
			b.reply(tx.Request(), 486, "x")

			b.pass(11 * time.Minute) // then it answers by TCP, and later is slow to do so
			b.restart()
			b.proto, b.conn = "tcp", 1
			tx = large()
			b.pass(time.Second)
			b.reply(tx.Request(), 486, "x")
			tx = large()
			b.pass(20 * time.Second)
			b.reply(tx.Request(), 486, "x")
			ladder := b.wire.ladder()
			if method == "INVITE" {
				ladder = strings.ReplaceAll(strings.ReplaceAll(ladder, ", 1s ACK", ""), ", 21s ACK", "")
			}
			if want := "0s " + method + ", 1s " + method; ladder != want {
				t.Errorf("sent %s, want %s", ladder, want)
			}
		})
	}
}

// A 1xx ends the patience with a probe, for all kinds of requests.
func TestProbeThatIsAnsweredStays(t *testing.T) {
	play(t, func(b *bed) {
		m := outgoing("MESSAGE")
		m.SetBody("text/plain", []byte(strings.Repeat("a=x\r\n", 800)))
		var tx *txn.ClientTx
		b.do(func() { tx = b.lane.Request(m, udp(), b) })
		b.proto, b.conn = "tcp", 1
		b.reply(tx.Request(), 100, "")
		b.pass(20 * time.Second)
		b.wantSent("0s MESSAGE")
	})
}

// A connection on which a request had no answer at all does not take the next one, which goes by another; where the request
// was a large one to a UDP target, by UDP.
func TestConnectionWithoutAnAnswerIsNotUsedAgain(t *testing.T) {
	play(t, func(b *bed) {
		first := b.ask("OPTIONS", tcp())
		b.reply(first.Request(), 200, "x")
		old := first.Target()
		for _, method := range []string{"OPTIONS", "INVITE"} {
			b.restart()
			lost := b.ask(method, old)
			if lost.Target().Conn != old.Conn {
				t.Fatalf("%s left by %+v", method, lost.Target())
			}
			b.pass(33 * time.Second)
			b.wantHeard("32s OnFail no answer in time")
			next := b.ask("BYE", old)
			if next.Target().Conn == old.Conn {
				t.Errorf("after a lost %s the next request swallows, too", method)
			}
			old = next.Target()
			b.reply(next.Request(), 200, "x")
		}
		b.restart()
		ringing := b.ask("INVITE", old) // one that is answered says that the peer lives
		b.reply(ringing.Request(), 180, "x")
		b.pass(100 * time.Second)
		if b.ask("BYE", old).Target().Conn != old.Conn {
			t.Error("a connection on which a call rang is not used any more")
		}
	})
	play(t, func(b *bed) {
		b.proto, b.conn = "tcp", 1
		proven := b.askLarge(udp())
		b.reply(proven.Request(), 486, "x")
		b.askLarge(udp())
		b.pass(33 * time.Second)
		b.askLarge(udp())
		if p := b.last(); p.flow.Proto != "udp" {
			t.Errorf("left by %+v", p.flow)
		}
	})
}

// A kept connection may have been closed for idleness while we were writing.
func TestReusedConnectionThatClosesIsWorthAnother(t *testing.T) {
	play(t, func(b *bed) {
		first := b.ask("OPTIONS", tcp())
		b.reply(first.Request(), 200, "x")
		tx := b.ask("INVITE", tcp())
		if tx.Target().Conn != first.Target().Conn {
			t.Fatal("not reused")
		}
		b.wire.disconnect(tx.Target().Conn)
		synctest.Wait()
		b.wantSent("0s OPTIONS, 0s INVITE, 0s INVITE")
		if p := b.wire.packets(); p[1].raw != p[2].raw {
			t.Error("not a retransmission")
		}
		b.wire.disconnect(tx.Target().Conn)
		synctest.Wait()
		b.wantHeard("0s OnResponse 200, 0s OnFail request could not be delivered: EOF")
	})
}

func TestConnectionLostWhileRinging(t *testing.T) {
	t.Run("peer lives", func(t *testing.T) {
		play(t, func(b *bed) {
			tx := b.ask("INVITE", tcp())
			b.reply(tx.Request(), 180, "x")
			b.wire.disconnect(tx.Target().Conn)
			synctest.Wait()
			b.do(func() { tx.Cancel() })
			b.reply(tx.Request(), 487, "x")
			b.wantSent("0s INVITE, 0s CANCEL, 0s ACK")
			b.wantHeard("0s OnResponse 180, 0s OnResponse 487")
		})
	})
	t.Run("peer is gone", func(t *testing.T) {
		play(t, func(b *bed) {
			tx := b.ask("INVITE", tcp())
			b.reply(tx.Request(), 180, "x")
			b.wire.dial = func(transport.Flow) (time.Duration, error) { return 0, errRefused }
			b.wire.disconnect(tx.Target().Conn)
			synctest.Wait()
			b.wantHeard("0s OnResponse 180, 0s OnFail request could not be delivered: connection refused")
		})
	})
}

func TestCancelWhileConnecting(t *testing.T) {
	play(t, func(b *bed) {
		b.wire.dial = func(transport.Flow) (time.Duration, error) { return time.Second, nil }
		tx := b.ask("INVITE", tcp())
		b.do(func() { tx.Cancel() })
		b.pass(2 * time.Second)
		b.wantSent("")
		b.wantHeard("1s OnFail request was canceled before it left")
	})
}

// Without a listener for TCP, a connection borrows the identity of another one.
func TestIdentityOfConnectionWithoutListener(t *testing.T) {
	play(t, func(b *bed) {
		b.wire.listeners = b.wire.listeners[:1]
		if l := b.layer.Leaving(tcp()); l != b.wire.listeners[0] {
			t.Errorf("leaves from %+v", l)
		}
		b.ask("INVITE", tcp())
		if via := b.last().msg.TopVia(); via.Transport != "TCP" || via.Host != "192.0.2.1" {
			t.Errorf("Via %s", via)
		}
	})
}

func TestResolve(t *testing.T) {
	play(t, func(b *bed) {
		resolved := func(uri string) (list []txn.Target, err error) {
			b.do(func() {
				called := false
				b.lane.Resolve(uri, func(t []txn.Target, e error) { list, err, called = t, e, true })
				if !called {
					t.Errorf("%s: not at once", uri)
				}
			})
			return list, err
		}
		for uri, want := range map[string]txn.Target{
			"sip:192.0.2.9":                    {Proto: "udp", Addr: peer, Host: "192.0.2.9"},
			"sip:x@192.0.2.9;transport=udp":    {Proto: "udp", Addr: peer, Host: "192.0.2.9", ExplicitUDP: true},
			"sip:192.0.2.9:5060;transport=TCP": {Proto: "tcp", Addr: peer, Host: "192.0.2.9"},
			"sips:192.0.2.9:5060":              {Proto: "tls", Addr: peer, Host: "192.0.2.9"},
		} {
			if got, err := resolved(uri); err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("%s: %+v, %v", uri, got, err)
			}
		}
		for _, uri := range []string{"sip:[2001:db8::1]", "tel:+1", "nonsense"} {
			b.do(func() {
				b.lane.Resolve(uri, func(got []txn.Target, err error) { b.note("%s: %d %v", uri, len(got), err != nil) })
			})
		}
		b.pass(10 * time.Second)
		b.wantHeard("0s sip:[2001:db8::1]: 0 true, 0s tel:+1: 0 true, 0s nonsense: 0 true")
	})
}

func TestStrayResponseIsDropped(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		for name, value := range map[string]string{"Via": "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother", "Call-ID": "other"} {
			stray := tx.Request().Clone()
			stray.Set(name, value)
			b.reply(stray, 200, "x")
		}
		b.wantHeard("")
		if n := b.counter("sidetrack_sip_rejected_total", "reason", "stray"); n != 2 {
			t.Errorf("%v are counted", n)
		}
	})
}

func TestMessageCounters(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.reply(tx.Request(), 499, "x")
		b.respond(b.offer("FROBNICATE"), 200)
		const name = "sidetrack_sip_messages_total"
		for _, want := range [][]string{
			{"direction", "out", "method", "INVITE", "code", ""},
			{"direction", "in", "method", "INVITE", "code", "4xx"},
			{"direction", "out", "method", "ACK", "code", ""},
			{"direction", "in", "method", "other", "code", ""},
			{"direction", "out", "method", "other", "code", "200"},
		} {
			if n := b.counter(name, want...); n != 1 {
				t.Errorf("%q: %v, want 1", want, n)
			}
		}
	})
}

var _ txn.ClientHandler = (*bed)(nil)
var _ txn.Handler = (*bed)(nil)
