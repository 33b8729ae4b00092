package src_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
	"sidetrack/src"
	"sidetrack/tests/peer"
)

// Where ACK, re-INVITE and BYE go, by what the SRS puts into its Contact. An
// SRS on TCP alone hears nothing that went elsewhere.
func TestRoutes(t *testing.T) {
	tests := []struct{ name, network, contact string }{
		{"TCP, as it should be", "tcp", "<sip:srs@%s;transport=tcp>"},
		{"TCP, transport forgotten", "tcp", "<sip:srs@%s>"},
		{"TCP, transport outside the brackets", "tcp", "<sip:srs@%s>;transport=tcp"},
		{"TCP, address of its own world", "tcp", "<sip:srs@10.255.255.1:5060>"},
		{"TCP, name of its own world", "tcp", "<sip:srs@recorder.invalid>"},
		{"UDP, as it should be", "udp", "<sip:srs@%s>"},
		{"UDP, name of its own world", "udp", "<sip:srs@recorder.invalid:5060>"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rec := newSRS(t, "srs", test.network)
			r := newRig(t, []string{rec.URI(";transport=" + test.network)})
			c := r.newCall()
			c.talk()
			c.begin()
			contact := test.contact
			if strings.Contains(contact, "%s") {
				contact = fmt.Sprintf(contact, rec.Addr())
			}
			s := rec.Accept(peer.With("Contact", contact))
			hears(t, c, s)
			c.hold(true)
			in := s.ExpectUpdate()
			in.Reply(200, peer.WithSDP(s.Answer()), peer.With("Contact", contact))
			in.ExpectOther("ACK")
			finish(t, c, s)
		})
	}
}

// A connection that the SRS has closed in mid-dialog is opened again.
func TestReconnect(t *testing.T) {
	rec := newSRS(t, "srs", "tcp")
	r := newRig(t, []string{rec.URI(";transport=tcp")})
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	rec.DropConnections()
	c.hold(true)
	s.Update()
	rec.DropConnections()
	finish(t, c, s)
}

// An SRS that is gone for good ends a recording that is not to move, not the call.
func TestSRSDies(t *testing.T) {
	t.Parallel()
	rec := newSRS(t, "srs", "tcp")
	r := newRig(t, []string{rec.URI(";transport=tcp")}, stays)
	c := r.newCall()
	c.talk()
	c.begin()
	s := rec.Accept()
	hears(t, c, s)
	rec.Close()
	c.hold(true)
	c.ended(src.Partial)
	c.callee.AwaitFrom("caller", c.caller.Sent(), 5)
	c.end()
}

// The recorder's socket is the one that requests leave from.
func TestSocket(t *testing.T) {
	rec := newSRS(t, "srs")
	r := newRig(t, []string{rec.URI("")}, func(s *setup) { s.secondSocket = true })
	c := r.newCall()
	c.begin()
	s := rec.Accept()
	if from := s.Invite.From.Addr().String(); from != "127.0.0.9" || !strings.Contains(s.Invite.Get("Contact"), from) {
		t.Errorf("INVITE from %s, Contact %s", from, s.Invite.Get("Contact"))
	}
	finish(t, c, s)
}

// Group, parties and extensions from the configuration; what cannot be made
// costs itself alone.
func TestMetadataTemplates(t *testing.T) {
	rec := newSRS(t, "srs")
	text := func(s string) *policy.Template {
		tmpl, err := policy.ParseTemplate("x", s)
		if err != nil {
			t.Fatal(err)
		}
		return tmpl
	}
	r := newRig(t, []string{rec.URI("")}, func(s *setup) {
		s.recorder.Group = text(`{{.Header "X-Queue"}}`)
		s.recorder.SessionExtension = text(`<cc:code xmlns:cc="urn:example:cc">{{.To.User}}</cc:code>`)
		s.recorder.Caller = text(`<nameID aor="sip:one@x"><name>One</name></nameID>`)
		s.recorder.Callee = text(`<nameID`)
		s.recorder.ToURI = "sip:rec@recorder.test"
	})
	c := r.newCall()
	c.begin()
	s := rec.Accept()
	doc := string(s.Doc().Raw)
	for _, part := range []string{"sales", ">bob</cc:code>", `aor="sip:one@x"`, `aor="sip:bob@pbx.test"`} {
		if !strings.Contains(doc, part) {
			t.Errorf("document lacks %s:\n%s", part, doc)
		}
	}
	if got := s.Invite.Get("To"); got != "<sip:rec@recorder.test>" {
		t.Errorf("To: %s", got)
	}
	if len(s.Doc().Groups) != 1 || s.Doc().Groups[0].ID != string(metadata.GroupID("sales").ID()) {
		t.Errorf("groups: %+v", s.Doc().Groups)
	}
	finish(t, c, s)
}

// A recorder that answers the INVITE with garbage is one that does not answer.
func TestGarbage(t *testing.T) {
	first, second := newSRS(t, "first"), newSRS(t, "second")
	r := newRig(t, []string{first.URI(";transport=udp"), second.URI("")}, timeout(time.Second))
	c := r.newCall()
	c.begin()
	in := first.Expect("INVITE")
	in.Reply(200, peer.Without("CSeq"))
	in.Reply(200, peer.With("Via", "nonsense"))
	in.Reply(200, peer.With("Call-ID", "another"))
	s := second.Accept()
	finish(t, c, s)
}
