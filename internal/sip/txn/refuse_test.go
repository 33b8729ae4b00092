package txn_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/txn"
)

// A refused request is answered once, whoever does not acknowledge it, and forgotten; its repetition is refused alike,
// with the same tag; one that is ignored is not answered at all.
func TestRefuseAndIgnore(t *testing.T) {
	for _, method := range []string{"INVITE", "REGISTER"} {
		play(t, func(b *bed) {
			b.answer = func(tx *txn.ServerTx) { tx.Refuse(403, "Forbidden") }
			b.receive(incoming(method))
			b.pass(time.Minute)
			b.wantSent("0s 403 " + method)
			tag := b.last().msg.ToTag()
			b.receive(incoming(method))
			if again := b.last().msg.ToTag(); tag == "" || again != tag {
				t.Errorf("tags %q and %q", tag, again)
			}
			b.restart()
			b.receive(incoming("ACK", "us@example.com>", "us@example.com>;tag="+tag))
			b.answer = func(tx *txn.ServerTx) { tx.Ignore() }
			b.receive(incoming(method))
			b.pass(time.Minute)
			b.wantSent("")
			synctest.Wait()
			if n := b.layer.Transactions(); n != 0 {
				t.Errorf("%d transactions are kept", n)
			}
		})
	}
}

// Who was told that there is no room is told so again when the request is repeated, though there is some by then; nothing
// else is kept of it, and nobody who does not acknowledge it hears it twice.
func TestShed(t *testing.T) {
	play(t, func(b *bed) {
		b.answer = func(tx *txn.ServerTx) { tx.Shed() }
		b.receive(incoming("INVITE"))
		b.pass(20 * time.Second)
		b.wantSent("0s 503 INVITE")
		if b.last().msg.Get("Retry-After") == "" || b.layer.Transactions() != 0 {
			t.Errorf("%s, and %d transactions", b.last().raw, b.layer.Transactions())
		}
		b.answer = func(tx *txn.ServerTx) { tx.Reply(486, "") }
		b.receive(incoming("INVITE"))
		b.wantSent("0s 503 INVITE, 20s 503 INVITE")
		b.wantHeard("0s OnRequest INVITE")
		b.receive(incoming("INVITE", "bKone", "bKtwo"))
		b.wantSent("0s 503 INVITE, 20s 503 INVITE, 20s 486 INVITE")
	})
	play(t, func(b *bed) { // it has been told 100 meanwhile
		b.receive(incoming("INVITE"))
		b.pass(time.Second)
		b.do(func() { b.requests[0].Shed() })
		b.receive(incoming("ACK", "us@example.com>", "us@example.com>;tag="+b.last().msg.ToTag()))
		b.wantSent("200ms 100 INVITE, 1s 503 INVITE")
	})
}
