package src_test

import (
	"context"
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// A call that ends while its first words are still on their way: all of them arrive, then the BYE.
func TestEndsWhileCatchingUp(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")})
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	c.talk() // from now on all of it is to be recorded
	c.spoken(100)
	c.quiet()
	s := rec.AcceptInvite(in)
	c.end()
	bye := s.Dialog.Expect("BYE")
	for _, st := range c.view().Streams {
		if st.PacketsIn == 0 || st.PacketsCopied != st.PacketsIn {
			t.Errorf("%d of %d packets had left before the BYE", st.PacketsCopied, st.PacketsIn)
		}
	}
	spokenWhole(t, c, s)
	bye.Reply(200)
	v := c.ended(src.Complete)
	for _, st := range r.last(v.ID).Streams {
		if st.Dropped != 0 || st.PacketsIn != st.PacketsCopied {
			t.Errorf("%+v", st)
		}
	}
}

// spokenWhole waits until the SRS has all that the parties have sent.
func spokenWhole(t *testing.T, c *call, s *peer.Session) {
	t.Helper()
	for i, party := range []*peer.Media{c.caller, c.callee} {
		missing := func() (all []int) {
			got := numbers(s, s.Labels[i])
			for n := 1; n <= party.Sent(); n++ {
				if !got[n] {
					all = append(all, n)
				}
			}
			return all
		}
		if !peer.Eventually(func() bool { return len(missing()) == 0 }) {
			t.Errorf("packets %d of %d of label %s are missing", missing(), party.Sent(), s.Labels[i])
		}
	}
}

// A call that has ended before its SRS answers is recorded all the same.
func TestAnsweredAfterTheEnd(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "udp")
	r := newRig(t, []string{rec.URI(";transport=udp")})
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	c.talk() // from now on all of it is to be recorded
	in.Reply(180)
	c.spoken(30)
	c.quiet()
	c.end()
	s := rec.AcceptInvite(in)
	bye := s.Dialog.Expect("BYE")
	spokenWhole(t, c, s)
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

// What was said since a resume that the SRS has not confirmed when the call ends leaves all the same: its port is open.
func TestEndsBeforeAResumeIsConfirmed(t *testing.T) {
	t.Parallel()
	r, c, _, s := recording(t)
	id := c.view().ID
	if _, err := r.client.Pause(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Update()
	c.quiet()
	said := c.caller.Sent()
	if _, err := r.client.Resume(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	in := s.ExpectUpdate()
	c.talk()
	c.spoken(10)
	c.quiet()
	c.end()
	bye := s.Dialog.Expect("BYE")
	s.Streams["1"].AwaitFrom("caller", said, c.caller.Sent()-said)
	in.Reply(487)
	in.ExpectOther("ACK")
	bye.Reply(200)
	c.ended(src.Complete)
}
