package src_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

const snapshotRequest = `<?xml version="1.0" encoding="UTF-8"?>
<requestsnapshot xmlns='urn:ietf:params:xml:ns:recording:1'><requestreason xml:lang="en">SRS internal error</requestreason></requestsnapshot>`

// What an SRS may ask in the dialog, and our answer.
func TestRequests(t *testing.T) {
	_, c, _, s := recording(t)
	tests := []struct {
		method string
		opts   []peer.Opt
		status int
	}{
		{"OPTIONS", nil, 200},
		{"INFO", []peer.Opt{peer.WithBody("application/media_control+xml", []byte("<media_control/>"))}, 200},
		{"INFO", nil, 200},
		{"MESSAGE", []peer.Opt{peer.WithBody("text/plain", []byte("hello"))}, 200},
		{"UPDATE", nil, 200},
		{"UPDATE", []peer.Opt{peer.With("Require", "siprec")}, 200},
		{"UPDATE", []peer.Opt{peer.With("Require", "100rel, x-unknown")}, 420},
		{"NOTIFY", []peer.Opt{peer.With("Event", "dialog")}, 405},
		{"REFER", []peer.Opt{peer.With("Refer-To", "<sip:x@y>")}, 405},
		{"PUBLISH", nil, 405},
		{"XYZZY", nil, 501},
	}
	for _, test := range tests {
		resp := s.Dialog.Send(test.method, test.opts...).Expect(test.status)
		switch test.status {
		case 200:
			// SRC-02, SRC-23
			if !strings.HasSuffix(resp.Get("Contact"), ">;+sip.src") || !slices.Contains(resp.Tokens("Allow"), "update") {
				t.Errorf("%s: Contact %q, Allow %q", test.method, resp.Get("Contact"), resp.Get("Allow"))
			}
		case 405, 501:
			if !slices.Contains(resp.Tokens("Allow"), "invite") {
				t.Errorf("%s: no Allow", test.method)
			}
		case 420:
			if got := resp.Get("Unsupported"); got != "100rel, x-unknown" {
				t.Errorf("Unsupported: %q", got)
			}
		}
	}
	s.Dialog.CSeq -= 2
	s.Dialog.Send("OPTIONS").Expect(500) // RFC 3261 §12.2.2
	s.Dialog.CSeq += 2
	hears(t, c, s)
	finish(t, c, s)
}

// SRC-19 to SRC-22, SRC-24: a snapshot request gets its 200 and then a whole
// document in a transaction of its own, in whatever form it came.
func TestSnapshotRequest(t *testing.T) {
	_, c, _, s := recording(t)
	for _, form := range []struct{ method, kind string }{
		{"UPDATE", "application/rs-metadata+xml"}, {"UPDATE", "application/rs-metadata"},
		{"UPDATE", "application/rs-metadata-request"}, {"INFO", "application/rs-metadata-request"},
	} {
		resp := s.Dialog.Send(form.method, peer.WithBody(form.kind, []byte(snapshotRequest)),
			peer.With("Content-Disposition", "recording-session")).Expect(200)
		if len(resp.Body) > 0 {
			t.Errorf("%s %s: body in the 200", form.method, form.kind)
		}
		s.Update()
		if s.Doc().DataMode != "complete" {
			t.Errorf("%s %s: %s", form.method, form.kind, s.Doc().DataMode)
		}
	}
	// By re-INVITE, without a description: our offer is in the 200, and the document follows the ACK.
	resp := s.Dialog.Send("INVITE", peer.WithBody("application/rs-metadata+xml", []byte(snapshotRequest))).Expect(200)
	if kind := resp.Get("Content-Type"); kind != "application/sdp" {
		t.Errorf("re-INVITE answered with %q", kind)
	}
	s.Dialog.Ack(resp, peer.WithSDP(s.Answer()))
	s.Update()
	// While an update of ours is under way it waits for its end.
	c.hold(true)
	in := s.ExpectUpdate()
	s.Dialog.Send("UPDATE", peer.WithBody("application/rs-metadata+xml", []byte(snapshotRequest))).Expect(200)
	in.Reply(200, peer.WithSDP(s.Answer()))
	in.ExpectOther("ACK")
	s.Update()
	finish(t, c, s)
}

// SDP-12, SDP-13, SDP-21: re-INVITE and UPDATE of the SRS.
func TestOffersOfSRS(t *testing.T) {
	_, c, _, s := recording(t)
	reinvite := func(lines ...peer.Line) *peer.Message {
		t.Helper()
		resp := s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(int(s.Dialog.CSeq), lines...))).Expect(200)
		s.Dialog.Ack(resp)
		return resp
	}
	update := func(lines ...peer.Line) *peer.Message {
		t.Helper()
		return s.Dialog.Send("UPDATE", peer.WithSDP(peer.BuildSDP(int(s.Dialog.CSeq), lines...))).Expect(200)
	}
	versions := []uint64{s.Offer().Version} // RFC 3264 §8: they rise where our side of the description changes
	for _, send := range []func(...peer.Line) *peer.Message{reinvite, update} {
		// moved ports
		s.Streams["1"] = peer.NewMedia(t, srsHost, "", "moved")
		got := checkAnswer(t, send(line(s, "1"), line(s, "2")), "sendonly", "sendonly")
		versions = append(versions, got.Version)
		hears(t, c, s)
		// one stream stopped, and back
		checkAnswer(t, send(directed(line(s, "1"), "inactive"), line(s, "2")), "inactive", "sendonly")
		c.spoken(5)
		before := c.copies(s, "1")
		s.Streams["2"].AwaitFrom("callee", c.callee.Sent(), 5)
		if n := c.copies(s, "1"); n != before {
			t.Errorf("%d packets on the inactive stream", n-before)
		}
		checkAnswer(t, send(line(s, "1"), directed(line(s, "2"), "sendrecv")), "sendonly", "sendonly")
		hears(t, c, s)
		// sendonly is no wish to hear; one refused; one too many
		checkAnswer(t, send(line(s, "1"), directed(line(s, "2"), "sendonly")), "sendonly", "inactive")
		checkAnswer(t, send(peer.Line{}, line(s, "2")), "refused", "sendonly")
		got = checkAnswer(t, send(line(s, "1"), line(s, "2"), peer.Line{Media: s.Streams["1"]}), "sendonly", "sendonly", "refused")
		versions = append(versions, got.Version)
		hears(t, c, s)
	}
	if !slices.Equal(versions, []uint64{1, 2, 7, 8, 13}) {
		t.Errorf("o= versions %v", versions)
	}
	// Nothing that can be sent: nothing changes.
	a, b := line(s, "1"), line(s, "2")
	a.Payload, b.Payload = 8, 8
	out := s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(99, a, b)))
	out.Expect(488)
	hears(t, c, s)
	c.hold(true)
	s.Update() // our own offers still find their way
	finish(t, c, s)
}

// A re-INVITE without SDP gets our offer; the answer is in the ACK.
func TestOfferlessReinvite(t *testing.T) {
	_, c, _, s := recording(t)
	resp := s.Dialog.Send("INVITE").Expect(200)
	checkAnswer(t, resp, "sendonly", "sendonly")
	c.hold(true) // waits for the ACK
	silence(t, c, s)
	c.hold(false)
	s.Streams["1"] = peer.NewMedia(t, srsHost, "", "moved")
	s.Dialog.Ack(resp, peer.WithSDP(peer.BuildSDP(5, line(s, "1"), line(s, "2"))))
	hears(t, c, s)
	finish(t, c, s)
}

// RFC 3261 §14.2: an INVITE that crosses ours gets 491.
func TestGlare(t *testing.T) {
	_, c, _, s := recording(t)
	c.hold(true)
	in := s.ExpectUpdate()
	s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, line(s, "1"), line(s, "2")))).Expect(491)
	s.Dialog.Send("UPDATE", peer.WithSDP(peer.BuildSDP(2, line(s, "1"), line(s, "2")))).Expect(491)
	in.Reply(491)
	s.Update()
	inactive(t, s, true)
	finish(t, c, s)
}

// SRC-17: the SRS hangs up; media stop at once, the call goes on.
func TestSRSHangsUp(t *testing.T) {
	r, c, rec, s := recording(t, stays)
	s.Dialog.Bye(peer.With("Reason", `Q.850;cause=16;text="disk full"`))
	silence(t, c, s)
	v := c.ended(src.Partial)
	if !strings.Contains(v.Reason, "disk full") {
		t.Errorf("reason: %s", v.Reason)
	}
	c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Robert" })
	c.end()
	if in := rec.Maybe("BYE", 100*time.Millisecond); in != nil {
		t.Error("BYE in a dialog that has ended")
	}
	s.Dialog.Send("OPTIONS").Expect(481)
	r.hasTold("start stop")
}

// RFC 4028 in both roles.
func TestSessionTimer(t *testing.T) {
	t.Parallel()
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")})
		c := r.newCall()
		c.talk()
		c.begin()
		s := rec.Accept(peer.With("Session-Expires", "2;refresher=uac"), peer.With("Require", "timer"))
		in := s.ExpectUpdate()
		if got := in.Get("Session-Expires"); got != "2;refresher=uac" {
			t.Errorf("Session-Expires: %q", got)
		}
		if first, now := s.Offers[0], s.Offer(); now.Version != first.Version { // RFC 3264 §8: nothing has changed
			t.Errorf("o= version %d after %d", now.Version, first.Version)
		}
		in.Reply(200, peer.WithSDP(s.Answer()))
		in.ExpectOther("ACK")
		hears(t, c, s)
		finish(t, c, s)
	})
	t.Run("the SRS's, kept", func(t *testing.T) {
		t.Parallel()
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.recorder.Session.Min = time.Second })
		c := r.newCall()
		c.talk()
		c.begin()
		s := rec.Accept()
		for range 3 {
			resp := s.Dialog.Send("UPDATE", peer.With("Session-Expires", "2;refresher=uac"), peer.With("Supported", "timer")).Expect(200)
			if got := resp.Get("Session-Expires") + "/" + resp.Get("Require"); got != "2;refresher=uac/timer" {
				t.Errorf("Session-Expires: %s", got)
			}
			silent := time.NewTimer(700 * time.Millisecond) // well within the interval
			<-silent.C
		}
		finish(t, c, s)
	})
	t.Run("asked for", func(t *testing.T) { // RFC 4028 §7.1, §7.3
		t.Parallel()
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")}, func(s *setup) {
			s.recorder.Session = src.SessionTimer{Expires: 30 * time.Minute, Refresher: src.RefresherSRS}
		})
		c := r.newCall()
		c.talk()
		c.begin()
		in := rec.Expect("INVITE")
		callID := in.CallID()
		if got := in.Get("Session-Expires") + "/" + in.Get("Min-SE"); got != "1800;refresher=uas/" {
			t.Errorf("Session-Expires/Min-SE: %s", got)
		}
		for _, least := range []string{"2000", "3600"} { // of a proxy, and of the SRS behind it
			in.Reply(422, peer.With("Min-SE", least))
			in.ExpectOther("ACK")
			in = rec.Expect("INVITE")
			if got := in.Get("Session-Expires") + "/" + in.Get("Min-SE"); got != least+";refresher=uas/"+least || in.CallID() != callID {
				t.Errorf("Session-Expires/Min-SE: %s", got)
			}
		}
		s := rec.AcceptInvite(in, peer.With("Session-Expires", "3600;refresher=uac"))
		hears(t, c, s)
		finish(t, c, s)
		if v := c.view(); len(v.Attempts) != 1 {
			t.Errorf("attempts: %+v", v.Attempts)
		}
	})
	t.Run("the SRS's, forgotten", func(t *testing.T) {
		t.Parallel()
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")}, stays)
		c := r.newCall()
		c.begin()
		s := rec.Accept(peer.With("Session-Expires", "2;refresher=uas"))
		s.End()
		c.ended(src.Partial)
		c.end()
	})
}

// An SRS that does not acknowledge our 200 holds our updates up, and no more.
func TestNoAck(t *testing.T) {
	t.Parallel()
	_, c, _, s := recording(t, brisk)
	s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, line(s, "1"), line(s, "2")))).Expect(200)
	c.hold(true)
	silence(t, c, s)
	s.Update()
	inactive(t, s, true)
	finish(t, c, s)
}

// An SRS that never acknowledges its re-INVITE keeps an update of ours waiting for 32 s. What is said after a resume does not
// wait for that: it was told to stop by us, and its port is open.
func TestResumeWithoutAnAck(t *testing.T) {
	t.Parallel()
	r, c, rec, s := recording(t, timeout(time.Second))
	id := c.view().ID
	if _, err := r.client.Pause(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Update()
	resp := s.Dialog.Send("INVITE").Expect(200)
	said := c.caller.Sent()
	if _, err := r.client.Resume(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	s.Streams["1"].AwaitFrom("caller", said, 5)
	if in := rec.Maybe("INVITE", 0); in != nil {
		t.Errorf("an INVITE of ours before the ACK of theirs: %s", in.Start)
	}
	s.Dialog.Ack(resp, peer.WithSDP(peer.BuildSDP(5, line(s, "1"), line(s, "2"))))
	finish(t, c, s)
}

// What has come into the call while the SRS makes an offer of its own is not in that: it is no refusal, and is kept until
// the SRS has been told.
func TestGlareWithAStreamThatIsNew(t *testing.T) {
	_, c, _, s := recording(t, func(s *setup) { s.backoff = 2 * time.Second })
	if err := c.relay.SetStreams(2); err != nil {
		t.Fatal(err)
	}
	c.relay.SetRemote(forker.SideA, 1, forker.Remote{RTP: c.caller.Addr(), RTPKind: true, Sends: true})
	c.relay.SetRemote(forker.SideB, 1, forker.Remote{RTP: c.callee.Addr(), RTPKind: true, Sends: true})
	c.quiet()
	c.change(func(cs *metadata.Snapshot) {
		second := cs.Streams[0]
		second.Index = 1
		cs.Streams = append(cs.Streams, second)
	})
	in := s.ExpectUpdate()
	in.Reply(491)
	in.ExpectOther("ACK")
	resp := s.Dialog.Send("INVITE", peer.WithSDP(peer.BuildSDP(2, line(s, "1"), line(s, "2")))).Expect(200)
	said := c.caller.Sent()
	to, _ := c.relay.Local(forker.SideA, 1)
	for range 10 {
		c.caller.Send(to)
	}
	if !peer.Eventually(func() bool { return c.view().Streams[2].PacketsIn >= 10 }) {
		t.Fatalf("not heard: %+v", c.view().Streams)
	}
	s.Dialog.Ack(resp)
	s.Update()
	s.Streams["3"].AwaitFrom("caller", said, 10)
	finish(t, c, s)
}
