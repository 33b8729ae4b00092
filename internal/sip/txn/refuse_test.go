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
