package b2bua_test

import (
	"testing"

	"sidetrack/internal/sip/txn"
	"sidetrack/tests/peer"
)

// Above its rate a source gets 503 with Retry-After, its running call goes on, and its repeated requests are not
// taken for new ones.
func TestFloodIsRefused(t *testing.T) {
	s := newStage(t, setup{rates: txn.Rates{PerSource: 5}})
	c := s.establish()
	refused := 0
	for range 8 {
		out := s.caller.Start("OPTIONS", s.proxy, peer.Call{URI: "sip:" + s.proxy.String()})
		if got := out.ExpectFinal(); got.Status() == 503 {
			refused++
			if got.Get("Retry-After") == "" || got.ToTag() == "" {
				t.Errorf("refused with %q", got.Raw)
			}
		}
	}
	if refused < 3 {
		t.Errorf("%d of 8 are refused, the rate is 5", refused)
	}
	out := c.left.Send("INFO")
	c.right.Expect("INFO").Reply(200)
	out.Expect(200)
	c.hangUp()
	s.quiet()
}

// Scanners hear nothing at all; what comes after them does.
func TestScannersHearNothing(t *testing.T) {
	s := newStage(t, setup{})
	silent := s.caller.Start("OPTIONS", s.proxy, peer.Call{URI: "sip:100@" + s.proxy.String(), Opts: []peer.Opt{peer.With("User-Agent", "friendly-scanner")}})
	call := s.caller.Invite(s.proxy, peer.Call{URI: bob, SDP: peer.BuildSDP(1), Opts: []peer.Opt{peer.With("User-Agent", "sipcli/v1.8")}})
	s.establish().hangUp()
	if silent.Next(1) != nil || call.Next(1) != nil {
		t.Error("a scanner was answered")
	}
	s.quiet()
}
