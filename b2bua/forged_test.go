package b2bua_test

import (
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

// An ACK that bears the tags of something else acknowledges nothing, and says nothing of where the caller is.
func TestAckOfAnotherDialog(t *testing.T) {
	s := newStage(t, setup{})
	for _, forge := range []func(*peer.Dialog){
		func(d *peer.Dialog) { d.Remote = retagged(d.Remote) },
		func(d *peer.Dialog) { d.Local = retagged(d.Local) },
	} {
		c := s.invite()
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
		ok := c.out.Expect(200)
		c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
		forged := *c.left
		forge(&forged)
		forged.Move(peer.New(t, s.ladder, "forger", "127.0.0.2", "udp"))
		forged.Ack(ok)
		s.caller.AwaitTimes(ok, 3)
		c.left.Ack(ok)
		c.right.Expect("ACK")
		c.hangUp()
		s.quiet()
	}
}

func retagged(value string) string {
	value, _, _ = strings.Cut(value, ";tag=")
	return value + ";tag=x"
}

// Who has our Contact for one side of a call does not know that of the other.
func TestContactsOfACallDiffer(t *testing.T) {
	s := newStage(t, setup{})
	c := s.establish()
	a, b := userOf(t, c.left.Target), userOf(t, c.right.Target)
	if len(a) != len(b) || a[:16] != b[:16] {
		t.Fatalf("Contacts with users %s and %s", a, b)
	}
	if a[17:] == b[17:] {
		t.Errorf("%s can be made of %s", a, b)
	}
	for _, user := range []string{a[:16] + "a" + b[17:], a[:17], a[:17] + "aaaaaaaa"} {
		c.left.Target = strings.Replace(c.left.Target, a, user, 1)
		out := c.left.Send("INFO") // by its tags it is of the call all the same
		c.right.Expect("INFO").Reply(200)
		out.Expect(200)
		info := &peer.Message{Start: "OPTIONS " + c.left.Target + " SIP/2.0", Headers: []peer.Header{
			{Name: "From", Value: "<sip:carol@example.test>;tag=c"}, {Name: "To", Value: "<sip:bob@example.test>"},
			{Name: "Call-ID", Value: "beside-" + user}, {Name: "CSeq", Value: "1 OPTIONS"}, {Name: "Max-Forwards", Value: "70"},
		}}
		s.caller.Send("udp", s.proxy, info)
		in := s.pbx.Expect("OPTIONS") // beside the call it is for whoever the route names
		if !strings.Contains(in.URI(), user+"@") {
			t.Errorf("a Contact that nobody was given, %s, led to %s", user, in.URI())
		}
		in.Reply(404)
		c.left.Target = strings.Replace(c.left.Target, user, a, 1)
	}
	c.hangUp()
}

func userOf(t *testing.T, uri string) string {
	t.Helper()
	user, _, ok := strings.Cut(strings.TrimPrefix(uri, "sip:"), "@")
	if !ok {
		t.Fatalf("no user in %s", uri)
	}
	return user
}
