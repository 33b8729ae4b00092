package src_test

import (
	"context"
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
)

// A call that ends while its first words are still on their way: all of them arrive, then the BYE.
func TestEndsWhileCatchingUp(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")})
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	c.spoken(100)
	c.quiet()
	s := rec.AcceptInvite(in)
	c.end()
	bye := s.Dialog.Expect("BYE")
	for label, party := range map[string]int{"1": c.caller.Sent(), "2": c.callee.Sent()} {
		if n := len(numbers(s, label)); n < party-1 { // the first may have come before the recording was wanted
			t.Errorf("%d of %d packets of label %s before the BYE", n, party, label)
		}
	}
	bye.Reply(200)
	v := c.ended(src.Complete)
	for _, st := range r.last(v.ID).Streams {
		if st.Dropped != 0 || st.PacketsIn != st.PacketsCopied {
			t.Errorf("%+v", st)
		}
	}
}

// A call that has ended before its SRS answers is recorded all the same.
func TestAnsweredAfterTheEnd(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")})
	c := r.newCall()
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	in.Reply(180)
	c.spoken(30)
	c.quiet()
	c.end()
	s := rec.AcceptInvite(in)
	bye := s.Dialog.Expect("BYE")
	if n := len(numbers(s, "1")); n < c.caller.Sent()-1 {
		t.Errorf("%d of %d packets", n, c.caller.Sent())
	}
	bye.Reply(200)
	if !strings.Contains(string(bye.Body), "stop-time") {
		t.Errorf("the BYE says nothing of the end: %s", bye.Body)
	}
	c.ended(src.Complete)
}

// Nobody takes it: the attempts are those of any call, and the end is told. An operator need not wait for it.
func TestNobodyAnswersAfterTheEnd(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		one, two := newSRS(t, "srs1", "udp"), newSRS(t, "srs2", "udp")
		r := newRig(t, []string{one.URI(";transport=udp"), two.URI(";transport=udp")})
		c := r.newCall()
		c.talk()
		c.begin()
		in := one.Expect("INVITE")
		in.Reply(180)
		c.spoken(5)
		c.end()
		in.Reply(503)
		in.ExpectOther("ACK")
		in = two.Expect("INVITE")
		in.Reply(486)
		in.ExpectOther("ACK")
		if v := c.ended(src.Failed); len(v.Attempts) != 2 {
			t.Errorf("%+v", v.Attempts)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		rec := newSRS(t, "srs", "udp")
		r := newRig(t, []string{rec.URI(";transport=udp")})
		c := r.newCall()
		c.talk()
		c.begin()
		in := rec.Expect("INVITE")
		in.Reply(180)
		c.spoken(5)
		c.end()
		if _, err := r.client.Stop(context.Background(), c.view().ID); err != nil {
			t.Error(err)
		}
		in.ExpectOther("CANCEL").Reply(200)
		in.Reply(487)
		in.ExpectOther("ACK")
		c.await(metadata.StateEnded)
	})
}
