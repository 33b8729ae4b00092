package txn_test

import (
	"testing"

	"sidetrack/internal/sip/txn"
)

// When the owner of an INVITE has gone, its ACK is repeated for a 2xx that comes again, and a late fork is ended.
func TestConclude(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		invite := b.last().msg
		b.reply(invite, 200, "one")
		var ack *txn.Sent
		b.do(func() {
			ack = b.lane.SendAck(outgoing("ACK"), udp())
			tx.Conclude(map[string]*txn.Sent{"one": ack})
		})
		b.restart()
		b.reply(invite, 200, "one")
		b.wantSent("0s ACK")
		b.wire.clear()
		b.reply(invite, 200, "two")
		b.reply(invite, 200, "two")
		b.reply(invite, 180, "three")
		b.wantHeard("")
		sent := b.wire.packets()
		if len(sent) != 3 || sent[0].msg.Method != "ACK" || sent[1].msg.Method != "BYE" || sent[2].msg.Method != "ACK" {
			t.Fatalf("sent\n%s", b.wire.ladder())
		}
		for _, p := range sent {
			if p.msg.ToTag() != "two" || p.msg.CallID() != "out" {
				t.Errorf("to another dialog: %s", p.raw)
			}
		}
	})
}

// An INVITE that is not answered yet stays its owner's.
func TestConcludeTooEarly(t *testing.T) {
	play(t, func(b *bed) {
		tx := b.ask("INVITE", udp())
		b.do(func() { tx.Conclude(nil) })
		b.reply(b.last().msg, 200, "one")
		b.wantHeard("0s OnResponse 200")
	})
}
