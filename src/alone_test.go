package src_test

import (
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// Metadata that change alone go alone where the recorder wants it so, without labels (RFC 7866 §7.1.1); all else goes by
// re-INVITE with everything, and from a refusal on these do, too.
func TestMetadataAlone(t *testing.T) {
	for method, carrier := range map[string]src.Carrier{"UPDATE": src.CarrierDocument, "INFO": src.CarrierInfo} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			rec := newSRS(t, "srs")
			r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Carrier: carrier}))
			c := r.newCall()
			c.talk()
			c.begin()
			s := rec.Accept(peer.With("Allow", "INVITE, ACK, BYE, UPDATE, INFO"))
			c.await(metadata.StateRecording)
			rename := func(name string) {
				c.change(func(cs *metadata.Snapshot) { cs.Callee.Name = name })
			}
			rename("Robert")
			in := s.Dialog.Expect(method)
			if kind := in.Get("Content-Type"); kind != "application/rs-metadata+xml" || in.Get("Content-Disposition") != "recording-session" {
				t.Errorf("Content-Type %q, Content-Disposition %q", kind, in.Get("Content-Disposition"))
			}
			if doc := string(in.Body); !strings.Contains(doc, "Robert") || strings.Contains(doc, "<label>") {
				t.Errorf("the document:\n%s", doc)
			}
			in.Reply(200)
			hears(t, c, s)

			c.hold(true) // changes the description
			s.Update()
			c.hold(false)
			s.Update()

			rename("Rob")
			s.Dialog.Expect(method).Reply(501)
			s.Update()
			if doc := string(s.Doc().Raw); !strings.Contains(doc, "Rob<") || !strings.Contains(doc, "<label>1</label>") {
				t.Errorf("after the refusal:\n%s", doc)
			}
			rename("Bob")
			s.Update()
			hears(t, c, s)
			finish(t, c, s)
		})
	}
}

// A label that is a word goes on with numbers on further m-lines; who comes first does so in the description and among
// the participants.
func TestLabelsThatAreWords(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, speaking(src.Dialect{Labels: [2]string{"customer", "agent"}, First: metadata.Callee}))
	c := r.newCall()
	if err := c.relay.SetStreams(2); err != nil {
		t.Fatal(err)
	}
	second := c.cs.Streams[0]
	second.Index = 1
	c.cs.Streams = append(c.cs.Streams, second)
	c.begin()
	s := rec.Accept()
	if got := strings.Join(s.Labels, " "); got != "agent customer agent-2 customer-2" {
		t.Errorf("labels %s", got)
	}
	if who := s.Doc().Participants[0].Names[0].AOR; who != c.cs.Callee.AOR {
		t.Errorf("the first participant is %s", who)
	}
	c.await(metadata.StateRecording)
	c.end()
	s.End()
}
