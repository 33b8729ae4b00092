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

// speaking sets the dialect of the rig's recorder.
func speaking(d src.Dialect) func(*setup) { return func(s *setup) { s.recorder.Dialect = d } }

// MD-05, MD-13, MD-14: updates that tell what has changed lead a reader to what a complete one would say; the first is
// complete, and so is the one after a snapshot request or a refusal.
func TestPartialUpdates(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Partial: true}))
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	c.await(metadata.StateRecording)
	state := parsed(t, s)
	if state.Mode() != metadata.Complete {
		t.Fatalf("the first document is %s", state.Mode())
	}
	known := state
	hears(t, c, s)
	told := func(want metadata.DataMode) *metadata.Recording {
		t.Helper()
		s.Update()
		doc := parsed(t, s)
		if doc.Mode() != want {
			t.Fatalf("the update is %s, want %s:\n%s", doc.Mode(), want, s.Doc().Raw)
		}
		known = metadata.Merge(known, doc)
		for _, p := range known.Verify(s.Labels) {
			t.Errorf("merged: %v", p)
		}
		return doc
	}
	c.hold(true)
	if d := told(metadata.Partial); len(d.ParticipantStreamAssocs) != 2 || len(d.Participants)+len(d.Streams)+len(d.Sessions) != 0 {
		t.Errorf("hold tells\n%s", s.Doc().Raw)
	}
	c.hold(false)
	told(metadata.Partial)
	c.change(func(cs *metadata.Snapshot) { cs.Callee = metadata.Party{AOR: "sip:carol@pbx.test"} })
	told(metadata.Partial)
	if who := known.Senders("2"); len(who) != 1 || who[0].NameIDs[0].AOR != "sip:carol@pbx.test" {
		t.Errorf("merged, label 2 is sent by %+v", who)
	}

	asked := s.Dialog.Send("UPDATE", peer.WithBody("application/rs-metadata+xml",
		[]byte(`<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1"/>`)))
	asked.Expect(200)
	known = told(metadata.Complete) // SRC-21: what comes then builds on nothing before it
	c.hold(true)
	told(metadata.Partial)
	c.hold(false)
	told(metadata.Partial)

	c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = "Carol" })
	refused := s.ExpectUpdate()
	refused.Reply(488)
	refused.ExpectOther("ACK")
	c.change(func(cs *metadata.Snapshot) { cs.Caller.Name = "Alice" })
	told(metadata.Complete)
	if got := known.Senders("2")[0].NameIDs[0].Name; got != "Carol" {
		t.Errorf("after a refusal the name is %q", got)
	}
	finish(t, c, s)
}

func parsed(t *testing.T, s *peer.Session) *metadata.Recording {
	t.Helper()
	doc, err := metadata.Parse(s.Doc().Raw)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// Updates by UPDATE, to an SRS that allows it; one that then refuses it gets re-INVITEs from there on.
func TestUpdatesByUpdate(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		rec := newSRS(t, "srs")
		r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Carrier: src.CarrierUpdate, Last: src.LastInUpdate}))
		c := r.newCall()
		c.talk()
		c.begin()
		s := rec.Accept(peer.With("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE"))
		c.await(metadata.StateRecording)
		c.hold(true)
		in := s.Dialog.Expect("UPDATE")
		sdp, doc, problems := peer.Problems(in.Message)
		if len(problems) > 0 || doc == nil || len(sdp.Media) != 2 || sdp.Media[0].Direction != "inactive" {
			t.Errorf("UPDATE: %q\n%s", problems, in.Raw)
		}
		if refuses {
			in.Reply(488)
			s.Update()
			inactive(t, s, true)
			c.hold(false)
			s.Update()
		} else {
			in.Reply(200, peer.WithSDP(s.Answer()))
			c.hold(false)
			in = s.Dialog.Expect("UPDATE")
			in.Reply(200, peer.WithSDP(s.Answer()))
		}
		hears(t, c, s)
		c.end()
		if !refuses {
			last := s.Dialog.Expect("UPDATE")
			if body := string(last.Body); !strings.Contains(body, "<stop-time>") || strings.Contains(body, "<label>") {
				t.Errorf("the last document is\n%s", body)
			}
			last.Reply(200)
		}
		bye := s.Dialog.Expect("BYE")
		if len(bye.Body) > 0 != refuses {
			t.Errorf("refuses %v, and the BYE has a body of %d", refuses, len(bye.Body))
		}
		bye.Reply(200)
		c.ended(src.Complete)
	}
}

// A pause with c=0.0.0.0, or told to nobody; a BYE without a document.
func TestHoldForms(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Hold: src.HoldZero, Last: src.LastNowhere}))
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	c.await(metadata.StateRecording)
	c.hold(true)
	s.Update()
	for i, m := range s.Offer().Media {
		if m.Conn != "0.0.0.0" || m.Direction != "inactive" {
			t.Errorf("held, m-line %d is %s at %s", i+1, m.Direction, m.Conn)
		}
	}
	c.hold(false)
	s.Update()
	for i, m := range s.Offer().Media {
		if m.Conn == "0.0.0.0" || m.Direction != "sendonly" {
			t.Errorf("resumed, m-line %d is %s at %s", i+1, m.Direction, m.Conn)
		}
	}
	hears(t, c, s)
	c.end()
	if bye := s.End(); len(bye.Body) > 0 {
		t.Errorf("BYE with\n%s", bye.Body)
	}
	c.ended(src.Complete)
}

// An SRS that is told nothing after its 200: hold stops the packets all the same.
func TestNoUpdates(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Carrier: src.CarrierNone, Hold: src.HoldNone}))
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	c.await(metadata.StateRecording)
	c.hold(true)
	c.await(metadata.StatePaused)
	c.hold(false)
	c.await(metadata.StateRecording)
	hears(t, c, s)
	if len(s.Offers) != 1 {
		t.Errorf("%d offers", len(s.Offers))
	}
	finish(t, c, s)
}

// Labels 20 and 10, the callee first, the feature tag in the brackets, documents as the drafts had them.
func TestOldForms(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{
		LabelShift: 9, LabelStep: 10, CalleeFirst: true, TagInside: true,
		Style: metadata.Style{Namespace: "urn:ietf:params:xml:ns:recording", DataMode: "dataMode", Nested: true, Times: metadata.TimesLocal, IDs: metadata.IDsURN},
	}))
	c := r.newCall()
	c.begin()
	in := rec.Expect("INVITE")
	if contact := in.Get("Contact"); !strings.HasSuffix(contact, ";+sip.src>") {
		t.Errorf("Contact %q", contact)
	}
	sdp := peer.ParseSDP(in.Part("application/sdp"))
	if len(sdp.Media) != 2 || sdp.Media[0].Label != "10" || sdp.Media[1].Label != "20" {
		t.Errorf("labels in\n%s", in.Part("application/sdp"))
	}
	xml := string(in.Part("application/rs-metadata+xml"))
	for _, part := range []string{`<recording xmlns="urn:ietf:params:xml:ns:recording">`, "<dataMode>complete</dataMode>", `<session id="urn:uuid:`,
		`session="urn:uuid:`, "<send>urn:uuid:", "<label>20</label>", "<mode>separate</mode>"} {
		if !strings.Contains(xml, part) {
			t.Errorf("no %s in\n%s", part, xml)
		}
	}
	if strings.Contains(xml, "assoc>") || strings.Contains(xml, "participant_id") {
		t.Errorf("names of the RFC in\n%s", xml)
	}
	in.Reply(486)
	in.ExpectOther("ACK")
	c.ended(src.Failed)
	c.end()
}

// A recorder that takes one stream in a session gets two sessions, one for each party, in one group.
func TestTwoSessions(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Streams: src.StreamsTwo}))
	c := r.newCall()
	c.talk()
	c.begin()
	one, two := rec.Accept(), rec.Accept()
	if one.Labels[0] == "2" {
		one, two = two, one
	}
	if !slices.Equal(one.Labels, []string{"1"}) || !slices.Equal(two.Labels, []string{"2"}) {
		t.Fatalf("labels %v and %v", one.Labels, two.Labels)
	}
	a, b := one.Doc(), two.Doc()
	if a.Sessions[0].ID == b.Sessions[0].ID || a.Sessions[0].GroupRef == "" || a.Sessions[0].GroupRef != b.Sessions[0].GroupRef {
		t.Errorf("sessions %+v and %+v", a.Sessions[0], b.Sessions[0])
	}
	if a.Participants[0].ID != b.Participants[0].ID {
		t.Error("the caller has another id in the other session")
	}
	one.Streams["1"].AwaitFrom("caller", c.caller.Sent(), 5)
	two.Streams["2"].AwaitFrom("callee", c.callee.Sent(), 5)
	c.end()
	one.End()
	two.End()
}
