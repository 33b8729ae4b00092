package src_test

import (
	"slices"
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// A recorder made for the siprec module of OpenSIPS: From and To are the recorder, labels 0 and 1, the Call-ID of the
// call in sipSessionID; the same in updates.
func TestOpenSIPSDialect(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) {
		s.recorder.Dialect = src.Dialect{LabelShift: -1, SRSInFrom: true, CallIDAsSession: true}
	})
	c := r.newCall()
	c.cs.SessionID = "ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2"
	c.talk()
	c.begin()
	in := rec.Expect("INVITE")
	if from, to := in.Get("From"), in.Get("To"); !strings.HasPrefix(from, to+";tag=") || to != "<"+rec.URI("")+">" {
		t.Errorf("From %s, To %s", from, to)
	}
	s := rec.AcceptInvite(in)
	c.await(metadata.StateRecording)
	s.Streams["0"].AwaitFrom("caller", c.caller.Sent(), 5)
	s.Streams["1"].AwaitFrom("callee", c.callee.Sent(), 5)
	c.hold(true)
	update := s.Update()
	for _, m := range []*peer.Incoming{in, update} {
		body := string(m.Body)
		if !strings.Contains(body, "<sipSessionID>"+c.cs.SIPCallID+"</sipSessionID>") || strings.Contains(body, "ab30317f") {
			t.Errorf("sipSessionID in %s", body)
		}
		if !strings.Contains(body, "a=label:0\r\n") || strings.Contains(body, "a=label:2") {
			t.Errorf("labels in %s", body)
		}
	}
	finish(t, c, s)
}

// The knobs by themselves.
func TestDialectKnobs(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) {
		s.recorder.Dialect = src.Dialect{LabelShift: 9, MetadataType: "application/rs-metadata", ContactTag: "src", NoRequire: true}
	})
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	if slices.Contains(in.Tokens("Require"), "siprec") || !strings.HasSuffix(in.Get("Contact"), ">;src") {
		t.Errorf("Require %q, Contact %q", in.Get("Require"), in.Get("Contact"))
	}
	body := string(in.Body)
	for _, part := range []string{"Content-Type: application/rs-metadata\r\n", "a=label:10\r\n", "a=label:11\r\n", "<label>11</label>"} {
		if !strings.Contains(body, part) {
			t.Errorf("no %q in %s", part, body)
		}
	}
	in.Reply(486)
	in.ExpectOther("ACK")
	c.ended(src.Failed)
	c.end()
}
