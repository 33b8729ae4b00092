package txn_test

import (
	"testing"

	"sidetrack/internal/sip/txn"
)

// Of an INVITE that has been answered what its dialogs have of it is kept, and nothing else.
func TestAnsweredInviteIsSmall(t *testing.T) {
	play(t, func(b *bed) {
		m := outgoing("INVITE")
		m.SetBody("text/plain", []byte("offer"))
		m.Set("Contact", "<sip:us@192.0.2.1>")
		m.Set("Proxy-Authorization", "Digest username=\"us\"")
		m.Set("User-Agent", "ours")
		var tx *txn.ClientTx
		b.do(func() { tx = b.lane.Request(m, udp(), b) })
		b.reply(b.last().msg, 180, "one")
		if r := tx.Request(); string(r.Body) != "offer" || r.Get("User-Agent") != "ours" {
			t.Errorf("not whole while it rings:\n%s", r.Bytes())
		}
		b.reply(b.last().msg, 200, "one")
		r := tx.Request()
		for _, name := range []string{"From", "To", "Call-ID", "CSeq", "Contact", "Proxy-Authorization"} {
			if r.Get(name) != m.Get(name) || r.Get(name) == "" {
				t.Errorf("%s is %q, was %q", name, r.Get(name), m.Get(name))
			}
		}
		if len(r.Headers) != 6 || r.Body != nil || r.RequestURI != m.RequestURI {
			t.Errorf("kept:\n%s", r.Bytes())
		}
	})
}
