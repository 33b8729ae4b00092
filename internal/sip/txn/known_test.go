package txn_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// Whoever floods us with twice what can be handled, from ever new addresses: the calls of those whom we know are taken at
// once, all of them, as if nobody else were there; and of the others no more wait than a few.
func TestWhoIsKnownComesFirst(t *testing.T) {
	const seconds, calls, flood, cost = 10, 10, 1000, 2 * time.Millisecond
	play(t, func(b *bed) {
		synctest.Wait()
		b.layer.SetKnown(func(f transport.Flow) bool { return f.Remote == peer })
		taken, worst := 0, time.Duration(0)
		b.answer = func(tx *txn.ServerTx) {
			time.Sleep(cost)
			if tx.Flow.Remote != peer {
				tx.Refuse(403, "")
				return
			}
			taken++
			var sent int64
			fmt.Sscan(tx.Request.Get("X-Sent"), &sent)
			worst = max(worst, time.Since(b.began)-time.Duration(sent))
			tx.Reply(486, "")
		}
		bring := func(n int, from netip.AddrPort) {
			m, err := sip.Parse(incoming("INVITE", "bKone", fmt.Sprintf("bK%d", n), "ID: in", fmt.Sprintf("ID: %d", n)))
			if err != nil {
				t.Fatal(err)
			}
			m.Add("X-Sent", fmt.Sprint(int64(time.Since(b.began))))
			b.layer.Receive(transport.Inbound{Msg: m, Flow: transport.Flow{Proto: "udp", Listener: b.wire.listeners[0], Remote: from}, More: true})
		}
		for n := range flood * seconds {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 5060)
			if n%(flood/calls) == 0 {
				from = peer
			}
			bring(n, from)
			time.Sleep(time.Second / flood)
		}
		held := b.layer.Transactions()
		b.pass(5 * time.Second)
		dropped := int(b.counter("sidetrack_sip_rejected_total", "reason", "overload"))
		t.Logf("%d of %d calls taken, after %v at most; %d others of %d dropped", taken, calls*seconds, worst, dropped, flood*seconds)
		if taken != calls*seconds || worst > 100*time.Millisecond {
			t.Errorf("%d of %d calls are taken, one after %v", taken, calls*seconds, worst)
		}
		if handled := len(b.requests) - taken; handled+dropped != flood*seconds-taken || handled < flood*seconds/3 {
			t.Errorf("of %d others %d are handled and %d dropped", flood*seconds-taken, handled, dropped)
		}
		if held > calls*seconds+1 {
			t.Errorf("%d transactions are kept of %d calls", held, calls*seconds)
		}
	})
}
