package b2bua_test

import (
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// Who transfers hangs up at once and hears afterwards how it went: the NOTIFYs pass although the call has ended, and
// nothing is left after the last one.
func TestNotifyAfterTheBye(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		for _, fromCallee := range []bool{false, true} {
			s := newStage(t, setup{identity: identity})
			c := s.establish()
			here, there := c.left, c.right
			if fromCallee {
				here, there = there, here
			}
			refer := here.Send("REFER", peer.With("Refer-To", "<sip:carol@example.test>"))
			there.Expect("REFER").Reply(202)
			refer.Expect(202)
			bye := here.Send("BYE")
			there.AnswerBye()
			bye.Expect(200)
			there.Send("INFO").Expect(481)
			for _, state := range []string{"active;expires=60", "terminated;reason=noresource"} {
				notify := there.Send("NOTIFY", peer.With("Event", "refer"), peer.With("Subscription-State", state),
					peer.WithBody("message/sipfrag", []byte("SIP/2.0 100 Trying\r\n")))
				in := here.Expect("NOTIFY")
				if in.Get("Subscription-State") != state || string(in.Body) != "SIP/2.0 100 Trying\r\n" {
					t.Errorf("NOTIFY came as\n%s", in.Raw)
				}
				in.Reply(200)
				notify.Expect(200)
			}
			there.Send("NOTIFY", peer.With("Event", "refer"), peer.With("Subscription-State", "active")).Expect(481)
			s.quiet()
		}
	}
}
