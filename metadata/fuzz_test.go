package metadata_test

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"sidetrack/metadata"
)

// FuzzParse: nothing panics, and what can be read can be written, is then
// without fault against the schema, and stays as it is.
func FuzzParse(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(read(f, s.file))
	}
	f.Add([]byte(`<r:recording xmlns:r="urn:ietf:params:xml:ns:recording:1" xmlns:x="urn:x" xmlns="urn:y"><x:a x:b="1"><c/></x:a></r:recording>`))
	f.Add([]byte(`<recording_metadata><participant id="1"><send>x</send></participant></recording_metadata>`))
	f.Add([]byte(`<r:recording xmlns:r="0" xmlns:x="1"><x:a><A/></x:a></r:recording>`))
	f.Add([]byte("<recording><stream stream_id='1'><label>\x7f</label></stream></recording>"))
	f.Add([]byte("<recording><participantstreamassoc><recv>00000000000\x7f00000000000</recv></participantstreamassoc></recording>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		metadata.ParseSnapshotRequest(b)
		r, err := metadata.Parse(b)
		if err != nil {
			return
		}
		r.Verify([]string{"1", "2"})
		metadata.Merge(r, metadata.Diff(nil, r))
		once, err := r.XML()
		if err != nil {
			t.Fatalf("%q was read and cannot be written: %v", b, err)
		}
		if len(once) > metadata.MaxDocument {
			return
		}
		again, err := metadata.Parse(once)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", b, once, err)
		}
		if twice, err := again.XML(); err != nil || string(twice) != string(once) {
			t.Fatalf("%q was written as\n%s\nand again as\n%s%v", b, once, twice, err)
		}
	})
}

// FuzzXML: whatever the call holds, the document is well-formed, its problems
// are none, and it says what it was told.
func FuzzXML(f *testing.F) {
	f.Add("sip:alice@example.com", "Alice", "call@host", sessionID, "sales", "Q.850", 16)
	f.Add(`"A & B" <x>`, "\"A & B\" <x>", "&", "x", "<&>", "\x00", 1<<20)
	f.Add("\xff\xfe%", "\x00\x1f\u2028\ufffe]]>", "\r\n", "", " ", "\u0085", -1<<20)
	f.Add("sip:a@[::1]", strings.Repeat("張", 5000), "", "", "", "", 0)
	f.Fuzz(func(t *testing.T, aor, name, callID, session, group, protocol string, cause int) {
		s := call()
		s.Caller = metadata.Party{AOR: aor, Name: name}
		s.Callee = metadata.Party{AOR: name, Name: aor}
		s.SIPCallID, s.SessionID = callID, session
		end(&s)
		s.Reasons = append(s.Reasons, metadata.Reason{Protocol: protocol, Cause: cause, Text: name})
		b := metadata.NewBuilder(metadata.BuilderConfig{IDs: counter(), Group: group})
		doc := document(t, b.Complete(s, both(), t0), []string{"1", "2"})
		wellFormed(t, doc)
	})
}

// wellFormed reads the document with another reader than ours.
func wellFormed(t *testing.T, doc []byte) {
	d := xml.NewDecoder(strings.NewReader(string(doc)))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
	}
}

// FuzzExtensions: what is accepted is valid in a document and reads back equal.
func FuzzExtensions(f *testing.F) {
	for in := range broken {
		f.Add(in)
	}
	f.Add(`<a>one <b>two</b></a><cc:id xmlns:cc="urn:example:cc" cc:k="v">17<x xmlns=""/></cc:id>`)
	f.Fuzz(func(t *testing.T, in string) {
		metadata.ParseNameIDs(in)
		x, err := metadata.ParseExtensions(in)
		if err != nil {
			return
		}
		cfg := metadata.BuilderConfig{IDs: counter(), SessionExtensions: x}
		doc := document(t, metadata.NewBuilder(cfg).Complete(call(), both(), t0), nil)
		wellFormed(t, doc)
		back, err := metadata.Parse(doc)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range back.Sessions[0].Extensions[1:] {
			if e != x[i] {
				t.Fatalf("got %s, want %s", e, x[i])
			}
		}
	})
}

// TestHostileNamesAreSchemaValid holds the same to the schema itself.
func TestHostileNamesAreSchemaValid(t *testing.T) {
	lint := xmllint(t)
	for _, hostile := range []string{"", " ", "\x00\x01\x7f", "\xff\xfe\x80", `"A & B" <x>`, "]]>", "<!-- -->", "&amp;&#0;", "\u0085\u2028\ufffe\uffff",
		"a\r\nb\tc", strings.Repeat("<", 70000), strings.Repeat("張", 30000), "sip:%zz@[::1]#a#b", "sip:a@b;x=\"y\"?z={}|\\^`", "\U0001F600", "urn:x:[", "http://[::1", "//[", "//a:b:c@d", "http://a:b:c@d", "h323:a:b/c"} {
		s := call()
		s.Caller = metadata.Party{AOR: hostile, Name: hostile}
		s.Callee = metadata.Party{AOR: "sip:" + hostile, Name: hostile}
		s.SIPCallID, s.SessionID = hostile, hostile
		end(&s)
		s.Reasons = []metadata.Reason{{Protocol: hostile, Cause: 70000, Text: hostile}, {Protocol: hostile, Cause: -32768, Text: hostile}}
		b := metadata.NewBuilder(metadata.BuilderConfig{Group: hostile})
		doc := document(t, b.Complete(s, both(), t0), []string{"1", "2"})
		if err := lint(doc); err != nil {
			t.Errorf("%.40q: %v", hostile, err)
		}
		if len(doc) > 24<<10 {
			t.Errorf("%.40q: document of %d bytes", hostile, len(doc))
		}
	}
}
