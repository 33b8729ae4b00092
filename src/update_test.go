package src_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// MD-03, SDP-24: what changes while an update is under way goes into one more.
func TestUpdatesCoalesce(t *testing.T) {
	_, c, rec, s := recording(t)
	c.hold(true)
	in := s.ExpectUpdate()
	for i := range 20 {
		c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Bob " + strings.Repeat("x", i) })
		c.hold(i%2 == 0)
	}
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	s.Update()
	inactive(t, s, false)
	if got := s.Doc().Participants[1].Names[0].Name; got != "Bob "+strings.Repeat("x", 19) {
		t.Errorf("name %q", got)
	}
	if in := rec.Maybe("INVITE", 50*time.Millisecond); in != nil {
		t.Error("one re-INVITE too many")
	}
	finish(t, c, s)
}

// A snapshot that changes nothing for the SRS is not worth a message.
func TestNothingToTell(t *testing.T) {
	_, c, rec, s := recording(t)
	c.change(func(*metadata.Snapshot) {})
	if in := rec.Maybe("INVITE", 100*time.Millisecond); in != nil {
		t.Error("re-INVITE without a change")
	}
	finish(t, c, s)
}

// MD-17 and RFC 3261 §14.1: what the SRS may answer to an update.
func TestUpdateAnswers(t *testing.T) {
	t.Parallel()
	t.Run("491", func(t *testing.T) {
		t.Parallel()
		_, c, _, s := recording(t)
		c.hold(true)
		s.ExpectUpdate().Reply(491)
		s.Update()
		inactive(t, s, true)
		finish(t, c, s)
	})
	t.Run("488, then the next is complete", func(t *testing.T) {
		t.Parallel()
		_, c, _, s := recording(t)
		c.change(func(cs *metadata.Snapshot) { cs.Caller.AOR = "sip:carol@pbx.test" })
		s.ExpectUpdate().Reply(488)
		hears(t, c, s)
		c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
		s.Update()
		if got := s.Doc().Sender("1"); got != "sip:carol@pbx.test" || s.Doc().DataMode != "complete" {
			t.Errorf("%s document after a refusal names %s", s.Doc().DataMode, got)
		}
		finish(t, c, s)
	})
	t.Run("200 without SDP", func(t *testing.T) {
		t.Parallel()
		_, c, _, s := recording(t)
		for _, on := range []bool{true, false} {
			c.hold(on)
			in := s.ExpectUpdate()
			in.Reply(200)
			in.ExpectOther("ACK")
		}
		hears(t, c, s)
		finish(t, c, s)
	})
	t.Run("200 with other ports", func(t *testing.T) {
		t.Parallel()
		_, c, _, s := recording(t)
		c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
		in := s.ExpectUpdate()
		for _, label := range s.Labels {
			s.Streams[label] = peer.NewMedia(t, srsHost, "", "moved-"+label)
		}
		in.Reply(200, peer.WithSDP(s.Answer()))
		in.ExpectOther("ACK")
		hears(t, c, s)
		finish(t, c, s)
	})
	t.Run("481", func(t *testing.T) {
		t.Parallel()
		r, c, rec, s := recording(t, stays)
		c.hold(true)
		s.ExpectUpdate().Reply(481)
		c.ended(src.Partial)
		if in := rec.Maybe("BYE", 50*time.Millisecond); in != nil {
			t.Error("BYE in a dialog that is not")
		}
		c.end()
		r.hasTold("start paused stop")
	})
	t.Run("408", func(t *testing.T) {
		t.Parallel()
		_, c, _, s := recording(t, stays)
		c.hold(true)
		s.ExpectUpdate().Reply(408)
		s.End()
		c.ended(src.Partial)
		c.end()
	})
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		_, c, rec, s := recording(t, stays, brisk)
		c.hold(true)
		s.ExpectUpdate()
		c.ended(src.Partial)
		rec.Expect("BYE").Reply(200)
		c.end()
	})
}

// SDP-17, SDP-23: a codec that takes over the number of another is not sent
// under the old meaning, and gets a number of its own.
func TestCodecChange(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")})
	c := r.newCall()
	c.caller.PT = 96
	set := func(name string) {
		f := metadata.Flow{Sends: true, Formats: []metadata.Format{{PT: 96, Name: name, Clock: 8000}}}
		c.cs.Streams = []metadata.MediaStream{{Kind: "audio", Caller: f, Callee: c.cs.Streams[0].Callee}}
	}
	set("iLBC")
	c.talk()
	c.begin()
	s := rec.Accept()
	hears(t, c, s)
	set("SPEEX")
	r.client.Update(c.cs)
	in := s.ExpectUpdate()
	c.spoken(5)
	heard := c.copies(s, "1")
	c.spoken(20)
	if n := c.copies(s, "1"); n != heard {
		t.Errorf("%d packets of the new codec before the SRS knew of it", n-heard)
	}
	m := s.Offer().Media[0]
	if m.Formats[0] == "96" || m.Attr("rtpmap") != m.Formats[0]+" SPEEX/8000" {
		t.Errorf("offered %v, %s", m.Formats, m.Attr("rtpmap"))
	}
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	hears(t, c, s)
	all := s.Streams["1"].Packets()
	if got := all[len(all)-1].PT; got == 96 {
		t.Error("new codec under the old number")
	}
	whole(t, all, all[0].Number)
	finish(t, c, s)
}

// SDP-07, SDP-08: a removed m-line stays with port 0 in its place, a new one
// goes to the end.
func TestStreamsComeAndGo(t *testing.T) {
	_, c, _, s := recording(t)
	gone := c.cs.Streams[0]
	if err := c.relay.SetStreams(2); err != nil {
		t.Fatal(err)
	}
	c.change(func(cs *metadata.Snapshot) {
		second := cs.Streams[0]
		second.Index = 1
		cs.Streams[0].Caller.Formats, cs.Streams[0].Callee.Formats = nil, nil
		cs.Streams[0].Caller.Sends, cs.Streams[0].Callee.Sends = false, false
		cs.Streams = append(cs.Streams, second)
	})
	s.Update()
	ports := func() (all []bool) {
		for _, m := range s.Offer().Media {
			all = append(all, m.Port != 0)
		}
		return all
	}
	if !slices.Equal(s.Labels, []string{"1", "2", "3", "4"}) || !slices.Equal(ports(), []bool{false, false, true, true}) {
		t.Errorf("labels %v, live %v", s.Labels, ports())
	}
	c.change(func(cs *metadata.Snapshot) { cs.Streams[0] = gone })
	s.Update()
	if !slices.Equal(ports(), []bool{true, true, true, true}) {
		t.Errorf("live %v", ports())
	}
	hears(t, c, s)
	finish(t, c, s)
}

// A stream that comes, or comes back, while the SRS cannot be told of it is kept from its first packet on.
func TestStreamsAreKeptUntilTold(t *testing.T) {
	t.Parallel()
	_, c, _, s := recording(t)
	c.quiet()
	said := [2]int{c.caller.Sent(), c.callee.Sent()}
	there := c.cs.Streams[0]
	c.change(func(cs *metadata.Snapshot) {
		cs.Streams[0].Caller.Formats, cs.Streams[0].Callee.Formats = nil, nil
		cs.Streams[0].Caller.Sends, cs.Streams[0].Callee.Sends = false, false
	})
	in := s.ExpectUpdate() // and it takes its time
	was := c.view().Streams[0].PacketsIn
	c.change(func(cs *metadata.Snapshot) { cs.Streams[0] = there })
	if !peer.Eventually(func() bool { return !c.view().Streams[0].Paused }) {
		t.Fatal("the stream is not back")
	}
	c.talk()
	if !peer.Eventually(func() bool { return c.view().Streams[0].PacketsIn >= was+10 }) {
		t.Fatalf("nothing is kept: %+v", c.view().Streams)
	}
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	in = s.ExpectUpdate()
	c.spoken(10)
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	c.spoken(10)
	c.quiet()
	s.Streams["1"].AwaitFrom("caller", said[0], c.caller.Sent()-said[0])
	s.Streams["2"].AwaitFrom("callee", said[1], c.callee.Sent()-said[1])
	finish(t, c, s)
}

// A call that begins to be encrypted is no more copied.
func TestEncryptedLater(t *testing.T) {
	_, c, _, s := recording(t)
	c.change(func(cs *metadata.Snapshot) { cs.Streams[0].Secure = true })
	s.Update()
	silence(t, c, s)
	if s.Offer().Media[0].Port != 0 || s.Offer().Media[1].Port != 0 {
		t.Errorf("offered %+v", s.Offer().Media)
	}
	finish(t, c, s)
}
