package txn_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// A client whose connection breaks repeats its request by a new one, and hears the answer there, whatever had been
// said already: it takes no connections itself.
func TestAnswerFollowsTheClient(t *testing.T) {
	overTCP := []string{"SIP/2.0/UDP", "SIP/2.0/TCP"}
	for name, tc := range map[string]struct {
		before, after []int
		want          string
	}{
		"nothing":  {nil, []int{180, 200}, "0s 100 INVITE, 0s 180 INVITE, 0s 200 INVITE"},
		"rings":    {[]int{180}, []int{200}, "0s 180 INVITE, 0s 200 INVITE"},
		"answered": {[]int{200}, nil, "0s 200 INVITE"},
		"refused":  {[]int{486}, nil, "0s 486 INVITE"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(b *bed) {
				b.wire.dial = func(transport.Flow) (time.Duration, error) { return 0, errRefused }
				b.stream()
				tx := b.offer("INVITE", overTCP...)
				b.wire.disconnect(b.conn)
				synctest.Wait()
				for _, status := range tc.before {
					b.respond(tx, status)
				}
				b.pass(100 * time.Millisecond)
				b.stream()
				b.restart()
				b.receive(incoming("INVITE", overTCP...))
				for _, status := range tc.after {
					b.respond(tx, status)
				}
				b.wantSent(tc.want)
				b.wantHeard("")
				for _, p := range b.wire.packets() {
					if p.flow.Conn != b.conn {
						t.Errorf("answered by %+v", p.flow)
					}
				}
				n := len(b.wire.dialed())
				b.pass(time.Second)
				if len(b.wire.dialed()) != n {
					t.Errorf("dialled %q", b.wire.dialed()[n:])
				}
			})
		})
	}
}

// A 180 that waits for a connection to be made does not come behind the answer, which has left by one of the client's own.
func TestNothingComesBehindTheAnswer(t *testing.T) {
	play(t, func(b *bed) {
		b.wire.dial = func(transport.Flow) (time.Duration, error) { return time.Second, errRefused }
		b.stream()
		tx := b.offer("INVITE")
		b.wire.disconnect(b.conn)
		synctest.Wait()
		b.respond(tx, 180)
		b.stream()
		b.restart()
		b.receive(incoming("INVITE"))
		b.respond(tx, 486)
		b.pass(2 * time.Second)
		b.wantSent("0s 180 INVITE, 0s 486 INVITE")
	})
}

// The one who cancels by a new connection hears the end of his INVITE there.
func TestCancelByANewConnection(t *testing.T) {
	play(t, func(b *bed) {
		b.stream()
		tx := b.offer("INVITE")
		b.respond(tx, 180)
		b.wire.disconnect(b.conn)
		synctest.Wait()
		b.stream()
		b.receive(incoming("CANCEL"))
		b.respond(tx, 487)
		if b.wantSent("0s 180 INVITE, 0s 200 CANCEL, 0s 487 INVITE"); b.last().flow.Conn != b.conn {
			t.Errorf("answered by %+v", b.last().flow)
		}
		b.wantDialed()
	})
}

// As long as the first connection is open, answers stay there: a client may have several.
func TestAnswerStaysWithAnOpenConnection(t *testing.T) {
	play(t, func(b *bed) {
		b.stream()
		first := b.conn
		tx := b.offer("INVITE")
		b.stream()
		b.receive(incoming("INVITE"))
		b.respond(tx, 200)
		for _, p := range b.wire.packets() {
			if p.flow.Conn != first {
				t.Errorf("answered by %+v", p.flow)
			}
		}
	})
}

// Over UDP the repetition's own port counts (RFC 3581 §4), but no other address.
func TestAnswerFollowsTheNAT(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.9:40001":    "192.0.2.9:40001",
		"198.51.100.1:40001": "192.0.2.9:5060",
	} {
		play(t, func(b *bed) {
			tx := b.offer("INVITE")
			b.respond(tx, 180)
			m, err := sip.Parse(incoming("INVITE"))
			if err != nil {
				t.Fatal(err)
			}
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: netip.MustParseAddrPort(remote)}})
			synctest.Wait()
			b.wantSent("0s 180 INVITE, 0s 180 INVITE")
			b.respond(tx, 200)
			if got := b.last().flow.Remote.String(); got != want {
				t.Errorf("repeated from %s, answered to %s", remote, got)
			}
		})
	}
}
