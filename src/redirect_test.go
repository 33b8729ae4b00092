package src_test

import (
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

func follows(s *setup) { s.recorder.FollowRedirects = true }

// SRC-25: the Contacts of a 3xx are asked, the one with the highest q first, as the same request with the next CSeq.
func TestRedirect(t *testing.T) {
	front, a, b := newSRS(t, "front"), newSRS(t, "a"), newSRS(t, "b")
	r := newRig(t, []string{front.URI("")}, follows)
	c := r.newCall()
	c.talk()
	c.begin()
	in := front.Expect("INVITE")
	in.Reply(302, peer.With("Contact", "<tel:1>, <"+a.URI("")+`>;q=0.3, "B, x" <`+b.URI("")+`>;q=0.7`))
	in.ExpectOther("ACK")
	second := b.Expect("INVITE")
	if second.CallID() != in.CallID() || second.Get("To") != in.Get("To") || second.Get("CSeq") != "2 INVITE" ||
		!strings.HasPrefix(second.Start, "INVITE "+b.URI("")+" ") {
		t.Errorf("%s, To %s, CSeq %s", second.Start, second.Get("To"), second.Get("CSeq"))
	}
	second.Reply(480)
	second.ExpectOther("ACK")
	s := a.Accept()
	hears(t, c, s)
	finish(t, c, s)
	if v := c.view(); len(v.Attempts) != 1 || v.Attempts[0].SRS != front.URI("") || v.Attempts[0].Code != 200 {
		t.Errorf("%+v", v.Attempts)
	}
}

// Redirections that lead nowhere end, and the next SRS is asked.
func TestRedirectLoops(t *testing.T) {
	t.Run("to itself", func(t *testing.T) {
		first, second := newSRS(t, "first"), newSRS(t, "second")
		r := newRig(t, []string{first.URI(""), second.URI("")}, follows)
		c := r.newCall()
		c.begin()
		in := first.Expect("INVITE")
		in.Reply(302, peer.With("Contact", "<"+first.URI("")+">"))
		in.ExpectOther("ACK")
		finish(t, c, second.Accept())
	})
	t.Run("without end", func(t *testing.T) {
		first, second := newSRS(t, "first"), newSRS(t, "second")
		r := newRig(t, []string{first.URI(""), second.URI("")}, follows)
		c := r.newCall()
		c.begin()
		for n := range 6 {
			in := first.Expect("INVITE")
			in.Reply(301, peer.With("Contact", "<sip:n"+string(rune('0'+n))+"@"+first.Addr().String()+">"))
			in.ExpectOther("ACK")
		}
		finish(t, c, second.Accept())
	})
	t.Run("nowhere", func(t *testing.T) {
		first, second := newSRS(t, "first"), newSRS(t, "second")
		r := newRig(t, []string{first.URI(""), second.URI("")}, follows)
		c := r.newCall()
		c.begin()
		in := first.Expect("INVITE")
		in.Reply(302, peer.With("Contact", "<sip:nowhere.invalid>"))
		in.ExpectOther("ACK")
		finish(t, c, second.Accept())
	})
	t.Run("not wanted", func(t *testing.T) {
		first, second, third := newSRS(t, "first"), newSRS(t, "second"), newSRS(t, "third")
		r := newRig(t, []string{first.URI(""), second.URI("")})
		c := r.newCall()
		c.begin()
		in := first.Expect("INVITE")
		in.Reply(302, peer.With("Contact", "<"+third.URI("")+">"))
		in.ExpectOther("ACK")
		finish(t, c, second.Accept())
	})
}

// 503 with Retry-After: other sessions leave that SRS alone, unless there is no other.
func TestRetryAfter(t *testing.T) {
	first, second := newSRS(t, "first"), newSRS(t, "second")
	r := newRig(t, []string{first.URI(""), second.URI("")})
	c := r.newCall()
	c.begin()
	in := first.Expect("INVITE")
	in.Reply(503, peer.With("Retry-After", "60 (backup);duration=10"))
	in.ExpectOther("ACK")
	finish(t, c, second.Accept())

	d := r.newCall()
	d.begin()
	in = second.Expect("INVITE") // the first is not asked any more
	in.Reply(503, peer.With("Retry-After", "60"))
	in.ExpectOther("ACK")
	d.ended(src.Failed)
	d.end()

	e := r.newCall()
	e.begin()
	finish(t, e, first.Accept())
}

// Three failures in a row, and an SRS is asked after the others; a success clears it.
func TestPenalty(t *testing.T) {
	first, second := newSRS(t, "first"), newSRS(t, "second")
	r := newRig(t, []string{first.URI(""), second.URI("")}, func(s *setup) { s.ports = 100 })
	record := func(failing bool) {
		t.Helper()
		c := r.newCall()
		c.begin()
		if failing {
			in := first.Expect("INVITE")
			in.Reply(500)
			in.ExpectOther("ACK")
		}
		s := second.Accept()
		c.await(metadata.StateRecording)
		finish(t, c, s)
	}
	for range 3 {
		record(true)
	}
	record(false)
	c := r.newCall()
	c.begin()
	in := second.Expect("INVITE")
	in.Reply(486)
	in.ExpectOther("ACK")
	finish(t, c, first.Accept())
	d := r.newCall()
	d.begin()
	finish(t, d, first.Accept())
}
