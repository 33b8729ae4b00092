package txn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

func patient(to txn.Target) txn.Target {
	to.Patient = true
	return to
}

// unreachable is an ICMP error about the peer.
func (b *bed) unreachable() {
	b.wire.events.Failed(transport.Failure{Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: peer}, Err: errRefused})
	synctest.Wait()
}

// refusedFor is an error for that long.
func (b *bed) refusedFor(d time.Duration) error {
	if time.Since(b.began) <= d {
		return errRefused
	}
	return nil
}

// What must arrive is repeated as if the network had said nothing, over each kind of path, and whenever the trouble is.
func TestPatientRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		method  string
		to      txn.Target
		trouble func(b *bed)
		over    func(b *bed)
		sent    string
	}{
		"ICMP at once": {"BYE", udp(), nil, (*bed).unreachable, "0s BYE, 500ms BYE, 1.5s BYE"},
		"ICMP again and again": {"INVITE", udp(), nil, func(b *bed) {
			for range 3 {
				b.unreachable()
			}
			b.pass(time.Second)
			b.unreachable()
		}, "0s INVITE, 500ms INVITE, 1.5s INVITE"},
		"sendto fails": {"BYE", udp(), func(b *bed) {
			b.wire.sendErr = func(transport.Flow) error { return b.refusedFor(time.Second) }
		}, nil, "1.5s BYE"},
		"no connection": {"BYE", tcp(), func(b *bed) {
			b.wire.dial = func(transport.Flow) (time.Duration, error) { return 0, b.refusedFor(time.Second) }
		}, nil, "1.5s BYE"},
		"connection closed without an answer": {"BYE", tcp(), nil, func(b *bed) {
			for conn := range uint64(3) {
				b.wire.disconnect(conn + 1)
				synctest.Wait()
				b.pass(500 * time.Millisecond)
			}
		}, "0s BYE, 0s BYE, 1s BYE, 2s BYE"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				if tc.trouble != nil {
					tc.trouble(b)
				}
				tx := b.ask(tc.method, patient(tc.to))
				if tc.over != nil {
					tc.over(b)
				}
				b.pass(2*time.Second - time.Since(b.began))
				b.wantSent(tc.sent)
				for _, p := range b.wire.packets() {
					if p.raw != b.wire.packets()[0].raw {
						t.Error("not a retransmission")
					}
				}
				b.heard = nil
				b.reply(tx.Request(), 404, "x")
				b.pass(time.Minute)
				if len(b.heard) != 1 || !tx.Terminated() {
					t.Errorf("heard %q", b.heard)
				}
			})
		})
	}
}

// Where nothing comes in Timer B or F, the cause is what the network said.
func TestPatienceEnds(t *testing.T) {
	play(t, func(b *bed) {
		b.ask("BYE", patient(udp()))
		b.unreachable()
		b.pass(40 * time.Second)
		b.wantHeard("32s OnFail request could not be delivered, and no answer in time")
	})
	play(t, func(b *bed) {
		b.wire.dial = func(transport.Flow) (time.Duration, error) { return 0, errRefused }
		b.ask("BYE", patient(tcp()))
		b.pass(40 * time.Second)
		b.wantHeard("32s OnFail request could not be delivered, and no answer in time")
		if n := len(b.wire.dialed()); n > 12 {
			t.Errorf("%d connections in 32 s", n)
		}
		b.wire.listeners = nil
		b.restart()
		b.ask("BYE", patient(tcp())) // nothing to wait for
		b.wantHeard("0s OnFail request could not be delivered: no listener for this protocol and address family")
	})
}

// A CANCEL that the network returned is repeated: else somebody would be rung for nobody.
func TestCancelIsPatient(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.reply(tx.Request(), 180, "x")
		b.do(func() { tx.Cancel() })
		b.unreachable()
		b.pass(time.Second)
		b.reply(b.last().msg, 200, "")
		b.reply(tx.Request(), 487, "x")
		b.wantSent("0s INVITE, 0s CANCEL, 500ms CANCEL, 1s ACK")
		b.wantHeard("0s OnResponse 180, 1s OnResponse 487")
	})
}

// Something that takes connections only to close them, in front of a peer that has died while it rang, is not called
// once per round trip.
func TestReconnectingIsPaced(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", tcp())
		b.reply(tx.Request(), 180, "x")
		conn := tx.Target().Conn
		for range 600 { // as soon as there is one, it is closed
			b.wire.disconnect(conn)
			synctest.Wait()
			b.pass(100 * time.Millisecond)
			if f, open := b.wire.Find(transport.Flow{Proto: "tcp", Remote: peer}); open {
				conn = f.Conn
			}
		}
		if n := len(b.wire.dialed()); n < 10 || n > 20 {
			t.Errorf("%d connections in a minute", n)
		}
		b.reply(tx.Request(), 200, "x") // by one of its own
		b.pass(time.Minute)
		if n := len(b.wire.dialed()); n > 20 {
			t.Errorf("%d connections", n)
		}
		b.wantSent("0s INVITE")
		b.wantHeard("0s OnResponse 180, 1m0s OnResponse 200")
	})
}
