package b2bua_test

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// named is a dialog as one of its parties names it to the other: to-tag is the other's.
func named(d *peer.Dialog) string {
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", d.CallID, peer.Param(d.Remote, "tag"), peer.Param(d.Local, "tag"))
}

// known is a dialog as who receives its name knows it: to-tag is its own.
func known(d *peer.Dialog) string {
	return fmt.Sprintf("%s;to-tag=%s;from-tag=%s", d.CallID, peer.Param(d.Local, "tag"), peer.Param(d.Remote, "tag"))
}

// replacesIn is the Replaces within a Refer-To.
func replacesIn(t *testing.T, m *peer.Message) string {
	t.Helper()
	_, query, _ := strings.Cut(peer.URIOf(m.Get("Refer-To")), "Replaces=")
	value, err := url.PathUnescape(query)
	if err != nil || value == "" {
		t.Errorf("Refer-To: %s", m.Get("Refer-To"))
	}
	return value
}

// Attended transfer, call pickup and barging in name another call: each end gets the names that it knows, from either
// side and in both modes.
func TestDialogsAreNamedAsTheOtherSideKnowsThem(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		t.Run(string(identity), func(t *testing.T) {
			s := newStage(t, setup{identity: identity})
			one, two := s.establish(), s.establish()
			for _, dir := range []struct {
				refers, gets  *peer.Dialog
				names, knows  *peer.Dialog
				from, towards string
			}{
				{one.left, one.right, two.left, two.right, "caller", "PBX"},
				{one.right, one.left, two.right, two.left, "PBX", "caller"},
			} {
				target := "<sip:carol@example.test?X=1&Replaces=" + url.QueryEscape(named(dir.names)+";early-only") + ">;x=y"
				out := dir.refers.Send("REFER", peer.With("Refer-To", target))
				in := dir.gets.Expect("REFER")
				if got, want := replacesIn(t, in.Message), known(dir.knows)+";early-only"; got != want {
					t.Errorf("from the %s: the %s got %s, knows %s", dir.from, dir.towards, got, want)
				}
				if got := in.Get("Refer-To"); !strings.HasPrefix(got, "<sip:carol@example.test?X=1&") || !strings.HasSuffix(got, ">;x=y") {
					t.Errorf("Refer-To became %s", got)
				}
				in.Reply(202, peer.With("Refer-Sub", "false")) // no NOTIFY is to be waited for
				out.Expect(202)
			}
			for _, name := range []string{"Replaces", "Join"} {
				third := s.invite(peer.With(name, named(two.left)))
				if got := third.in.Get(name); got != known(two.right) {
					t.Errorf("%s came as %s, the PBX knows %s", name, got, known(two.right))
				}
				third.in.Reply(603)
				third.in.ExpectOther("ACK")
				third.out.Expect(603)
			}
			td := fmt.Sprintf("%s;local-tag=%s;remote-tag=%s", two.left.CallID, peer.Param(two.left.Local, "tag"), peer.Param(two.left.Remote, "tag"))
			out := s.caller.Start("REFER", s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.With("Target-Dialog", td)}})
			in := s.pbx.Expect("REFER")
			if want := fmt.Sprintf("%s;local-tag=%s;remote-tag=%s", two.right.CallID, peer.Param(two.right.Remote, "tag"), peer.Param(two.right.Local, "tag")); in.Get("Target-Dialog") != want {
				t.Errorf("Target-Dialog came as %s, the PBX knows %s", in.Get("Target-Dialog"), want)
			}
			in.Reply(202)
			out.Expect(202)
			one.hangUp()
			two.hangUp()
			peer.Eventually(func() bool { return s.server.Active() == 0 })
			// The call is gone: its name means nothing any more and passes as it is.
			if !peer.Eventually(func() bool { return s.server.Active() == 0 }) {
				t.Fatal("the calls are still there")
			}
			third := s.invite(peer.With("Replaces", named(two.left)))
			if got := third.in.Get("Replaces"); identity == b2bua.IdentityRewrite && got != named(two.left) {
				t.Errorf("Replaces of a call that has ended came as %s", got)
			}
			third.in.Reply(481)
			third.in.ExpectOther("ACK")
			third.out.Expect(481)
			s.quiet()
		})
	}
}

// In rewrite mode nothing in the SDP tells where the caller is, also not a c= line that nobody uses.
func TestSDPHidesTheCaller(t *testing.T) {
	s := newStage(t, setup{identity: b2bua.IdentityRewrite})
	for _, sdp := range []string{
		"v=0\r\no=- 1 1 IN IP4 10.9.8.7\r\ns=-\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n",
		"v=0\r\no=- 1 1 IN IP4 10.9.8.7\r\ns=-\r\nc=IN IP4 10.9.8.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 10.9.8.7\r\na=rtcp:4001 IN IP4 10.9.8.7\r\na=candidate:1 1 UDP 1 10.9.8.7 4000 typ host\r\n",
		"v=0\r\no=- 1 1 IN IP4 10.9.8.7\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 31\r\nc=IN IP4 10.9.8.7\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 10.9.8.7\r\n",
	} {
		out := s.caller.Invite(s.proxy, peer.Call{URI: bob, SDP: []byte(sdp)})
		in := s.pbx.Expect("INVITE")
		if bytes.Contains(in.SDP(), []byte("10.9.8.7")) {
			t.Errorf("the PBX got\n%s", in.SDP())
		}
		in.Reply(486)
		in.ExpectOther("ACK")
		out.Expect(486)
	}
	s.quiet()
}

// Another mode of identity counts for new calls; running ones keep theirs, numbers of requests included, and are named as
// each side knows them also by a call of the other mode.
func TestIdentityChangesUnderACall(t *testing.T) {
	s := newStage(t, setup{identity: b2bua.IdentityPreserve})
	kept := s.establish()
	s.server.Set(b2bua.Settings{Identity: b2bua.IdentityRewrite, Register: b2bua.RegisterContact})
	hidden := s.establish()
	s.server.Set(b2bua.Settings{Identity: b2bua.IdentityPreserve, Register: b2bua.RegisterContact})
	late := s.establish()
	for _, tt := range []struct {
		name string
		c    *call
		same bool
	}{{"before", kept, true}, {"meanwhile", hidden, false}, {"after", late, true}} {
		for _, d := range [][2]*peer.Dialog{{tt.c.left, tt.c.right}, {tt.c.right, tt.c.left}} {
			out := d[0].Send("INFO")
			in := d[1].Expect("INFO")
			if same := in.Get("Call-ID") == out.Sent.Get("Call-ID") && in.Get("CSeq") == out.Sent.Get("CSeq"); same != tt.same {
				t.Errorf("the call of %s: INFO left as %q and came as %q", tt.name, out.Sent.Raw, in.Raw)
			}
			in.Reply(200)
			out.Expect(200)
		}
	}
	for _, refers := range []*call{kept, late} {
		out := refers.left.Send("REFER", peer.With("Refer-To", "<"+bob+"?Replaces="+url.QueryEscape(named(hidden.left))+">"))
		in := refers.right.Expect("REFER")
		if got, want := replacesIn(t, in.Message), known(hidden.right); got != want {
			t.Errorf("the PBX got %s, knows %s", got, want)
		}
		in.Reply(202, peer.With("Refer-Sub", "false"))
		out.Expect(202)
	}
	for _, c := range []*call{kept, hidden, late} {
		c.hangUp()
	}
	s.quiet()
}
