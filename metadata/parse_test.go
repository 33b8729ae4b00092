package metadata_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

const (
	sessionA = "VdXP6FKTQcOcfyyuue0kgQ=="
	personA  = "86PQyVjeQ06op9RBZclNBA=="
	streamA  = "CCZMFfGQT3O5J59BOBleeg=="
	root     = `<recording xmlns="urn:ietf:params:xml:ns:recording:1">`
)

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want error
	}{
		"empty":           {"", nil},
		"not XML":         {"v=0\r\n", nil},
		"cut off":         {root + `<session session_id="x">`, nil},
		"entity bomb":     {`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + root + `&b;</recording>`, nil},
		"DTD":             {`<!DOCTYPE recording SYSTEM "http://example.com/x.dtd">` + root + `</recording>`, metadata.ErrDoctype},
		"other root":      {`<html/>`, metadata.ErrNotRecording},
		"two roots":       {root + `</recording><recording/>`, nil},
		"trailing text":   {root + `</recording>x`, nil},
		"too large":       {root + strings.Repeat(" ", metadata.MaxDocument) + `</recording>`, nil},
		"too deep":        {root + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40) + `</recording>`, nil},
		"many attributes": {`<recording ` + strings.Repeat(`a="" `, 40) + `/>`, nil},
		"prefix":          {`<r:recording/>`, nil},
		"encoding":        {`<?xml version="1.0" encoding="EBCDIC"?>` + root + `</recording>`, nil},
		"request":         {`<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1"/>`, metadata.ErrSnapshotRequest},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := metadata.Parse([]byte(tc.in))
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("got %+v, %v", r, err)
			}
		})
	}
}

// TestParseTolerates reads what clients on the wire write.
func TestParseTolerates(t *testing.T) {
	for name, tc := range map[string]struct {
		in    string
		check func(r *metadata.Recording) bool
		rules []string
	}{
		"byte order mark and blanks": {"\uFEFF \r\n" + root + "</recording>", func(r *metadata.Recording) bool { return r.Empty() }, nil},
		"Latin-1": {`<?xml version="1.0" encoding="ISO-8859-1"?>` + root + `<participant participant_id="` + personA + `"><nameID aor="sip:a@b"><name>` + "J\xf6rg" + `</name></nameID></participant></recording>`,
			func(r *metadata.Recording) bool { return r.Participants[0].NameIDs[0].Name == "Jörg" }, nil},
		"draft with plain ids": {`<recording xmlns="urn:ietf:params:xml:ns:recording"><dataMode>complete</dataMode>
			<session id="` + sessionA + `"/><participant id="` + personA + `" session="` + sessionA + `"><nameID aor="sip:a@b"/><send>` + streamA + `</send></participant>
			<stream id="` + streamA + `" session="` + sessionA + `"><label>16777227</label></stream></recording>`,
			func(r *metadata.Recording) bool { s := r.Senders("16777227"); return len(s) == 1 && s[0].ID == personA }, []string{"XML-01", "XML-03", "XML-06", "XML-30"}},
		"urn:uuid of another draft": {`<recording_metadata xmlns="urn:ietf:params:xml:ns:siprec"><stream stream_id="urn:uuid:139ff134-7094-4ea9-a4a4-73f0c45e6a23"/></recording_metadata>`,
			func(r *metadata.Recording) bool { return r.Streams[0].ID == "E5/xNHCUTqmkpHPwxF5qIw==" }, []string{"XML-01", "XML-06"}},
		"hexadecimal, no Base64 of it": {root + `<stream stream_id="139ff13470944ea9a4a473f0c45e6a23"/></recording>`,
			func(r *metadata.Recording) bool { return r.Streams[0].ID == "E5/xNHCUTqmkpHPwxF5qIw==" }, []string{"XML-06"}},
		"no namespace": {`<recording><stream stream_id="` + streamA + `"><label>1</label></stream></recording>`,
			func(r *metadata.Recording) bool { return r.StreamByLabel("1") != nil }, []string{"XML-01"}},
		"offset without colon": {root + `<session session_id="` + sessionA + `"><start-time>2026-03-02T11:15:00+0200</start-time></session></recording>`,
			func(r *metadata.Recording) bool { return r.Sessions[0].Start.Equal(t0.Truncate(time.Minute)) }, []string{"XML-09"}},
		"time that is none": {root + `<session session_id="` + sessionA + `"><start-time>now</start-time></session></recording>`,
			func(r *metadata.Recording) bool { return r.Sessions[0].Start.IsZero() }, []string{"XML-09"}},
		"a cause too large": {root + `<session session_id="` + sessionA + `"><reason cause="99999">x</reason></session></recording>`,
			func(r *metadata.Recording) bool { return len(r.Sessions[0].Reasons) == 1 }, []string{"XML-17"}},
		"strangers": {root + `<session session_id="` + sessionA + `" color="red">text<start-time>2026-03-02T09:15:00Z</start-time><start-time>2026-03-02T09:15:00Z</start-time><nonsense/></session></recording>`,
			func(r *metadata.Recording) bool { return len(r.Sessions) == 1 }, []string{"XML-04", "XML-04", "XML-04", "XML-05"}},
		"extension first": {root + `<x:a xmlns:x="urn:x"/><stream stream_id="` + streamA + `"/></recording>`,
			func(r *metadata.Recording) bool { return len(r.Extensions) == 1 && len(r.Streams) == 1 }, []string{"XML-05"}},
		"extension where none can be": {root + `<participant participant_id="` + personA + `"><nameID aor="sip:a@b"><x:a xmlns:x="urn:x"/></nameID></participant></recording>`,
			func(r *metadata.Recording) bool { return len(r.Participants) == 1 }, []string{"XML-05"}},
		"prefix declared at the root": {`<r:recording xmlns:r="urn:ietf:params:xml:ns:recording:1" xmlns:x="urn:x" xmlns="urn:y"><x:a x:b="1"><c/></x:a></r:recording>`,
			func(r *metadata.Recording) bool {
				return r.Extensions[0].String() == `<x:a x:b="1" xmlns="urn:y" xmlns:x="urn:x"><c/></x:a>`
			}, nil},
		"attributes for validators": {`<recording xmlns="urn:ietf:params:xml:ns:recording:1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"></recording>`,
			func(r *metadata.Recording) bool { return r.Empty() }, nil},
		"a Call-ID as Session-ID": {root + `<session session_id="` + sessionA + `"><sipSessionID>abc@host</sipSessionID></session></recording>`,
			func(r *metadata.Recording) bool { return r.Sessions[0].SIPSessionIDs[0] == "abc@host" }, []string{"XML-16"}},
		"a UUID of a MAC address": {root + `<stream stream_id="` + metadata.UUID{6: 0x10, 8: 0x80}.Base64() + `"/></recording>`,
			func(r *metadata.Recording) bool { return len(r.Streams) == 1 }, []string{"XML-07"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := metadata.Parse([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if !tc.check(r) {
				t.Errorf("got %+v", r)
			}
			var rules []string
			problems := r.Verify(nil)
			for _, p := range problems {
				if len(rules) == 0 || rules[len(rules)-1] != p.Rule || p.Rule == "XML-04" {
					rules = append(rules, p.Rule)
				}
			}
			for _, want := range tc.rules {
				if !strings.Contains(fmt.Sprint(rules), want) {
					t.Errorf("%s is missing in %v", want, problems)
				}
			}
			if len(tc.rules) == 0 && len(problems) > 0 {
				t.Errorf("nothing is wrong, got %v", problems)
			}
		})
	}
}

func TestVerifyLabels(t *testing.T) {
	r := metadata.NewBuilder(metadata.BuilderConfig{}).Complete(call(), both(), t0)
	for _, tc := range []struct {
		labels []string
		want   int
	}{{nil, 0}, {[]string{"1", "2"}, 0}, {[]string{"2", "1"}, 0}, {[]string{"1"}, 1}, {[]string{"1", "2", "3"}, 1}, {[]string{}, 2}, {[]string{"0", "1"}, 2}} {
		got := r.Verify(tc.labels)
		if len(got) != tc.want {
			t.Errorf("%v: got %v", tc.labels, got)
		}
		for _, p := range got {
			if p.Rule != "SDP-03" {
				t.Errorf("%v: got %v", tc.labels, p)
			}
		}
	}
	r.Streams[0].Label = "a b"
	if got := r.Verify(nil); len(got) != 1 || got[0].Rule != "SDP-05" || !strings.Contains(got[0].String(), "stream[1]/label") {
		t.Errorf("got %v", got)
	}
}

func TestParseSnapshotRequest(t *testing.T) {
	for in, want := range map[string]struct {
		reason string
		ok     bool
	}{
		`<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1"><requestreason xml:lang="it">SRS internal error</requestreason></requestsnapshot>`: {"SRS internal error", true},
		`<r:requestSnapshot xmlns:r="urn:ietf:params:xml:ns:recording"/>`:                                                                               {"", true},
		root + `</recording>`: {"", false},
		`junk`:                {"", false},
	} {
		if reason, ok := metadata.ParseSnapshotRequest([]byte(in)); reason != want.reason || ok != want.ok {
			t.Errorf("%s: got %q, %v", in, reason, ok)
		}
	}
}

// TestMergeSamples follows the samples that are updates of the first one.
func TestMergeSamples(t *testing.T) {
	parse := func(file string) *metadata.Recording {
		r, err := metadata.Parse(read(t, file))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	state := metadata.Merge(nil, parse("01-basic-two-party.xml"))
	for _, step := range []struct {
		file    string
		senders map[string]string // by label, "" for nobody
	}{
		{"02-hold-by-bob.xml", map[string]string{"1": "", "2": "Bob"}},
		{"03-resume.xml", map[string]string{"1": "Alice", "2": "Bob"}},
		{"04-hold-inactive-both.xml", map[string]string{"1": "", "2": ""}},
		{"03-resume.xml", map[string]string{"1": "Alice", "2": "Bob"}},
		{"05-transfer-same-session-third-party.xml", map[string]string{"1": "Carol", "2": "Bob"}},
	} {
		state = metadata.Merge(state, parse(step.file))
		for _, p := range state.Verify([]string{"1", "2"}) {
			t.Errorf("after %s: %v", step.file, p)
		}
		for label, name := range step.senders {
			got := ""
			for _, p := range state.Senders(label) {
				got += p.NameIDs[0].Name
			}
			if got != name {
				t.Errorf("after %s: label %s is sent by %q, want %q", step.file, label, got, name)
			}
		}
	}
	state = metadata.Merge(state, parse("11-stop.xml"))
	if s := state.Sessions[0]; s.Start.IsZero() || s.Stop.IsZero() || len(s.Reasons) != 1 {
		t.Errorf("after the end: %+v", s)
	}
	if state = metadata.Merge(state, parse("12-persistent-no-session.xml")); !state.Empty() {
		t.Errorf("a complete document replaces everything, got %+v", state)
	}
}

// TestParseCost reads the documents that are dearest for their size: namespaces
// declared far out, each looked up by many elements, and nothing but faults. One
// eight times as long may take eight times as long, not sixty-four times.
func TestParseCost(t *testing.T) {
	declarations := ""
	for i := range 30 {
		declarations += fmt.Sprintf(` xmlns:p%d="u"`, i)
	}
	nested := func(inner string) string {
		return strings.Repeat("<x xmlns='u'"+declarations+">", 28) + inner + strings.Repeat("</x>", 28)
	}
	same := func(inner string) string { return inner }
	for name, c := range map[string]struct {
		unit  string
		times int
		in    func(string) string
	}{
		"namespaces": {"<a/>", 14000, nested},
		"prefixes":   {"<p0:a/>", 8000, nested},
		"faults":     {"<x/>", 15000, same},
		"streams":    {"<stream stream_id=''/>", 4000, same},
		"comments":   {"<!----><group/>", 16000, same},
		"nested":     {"<send>a</send>", 17000, func(all string) string { return "<participant>" + all + "</participant>" }},
		"identifiers": {"#", 5000, func(all string) string {
			var b strings.Builder
			for i := range all {
				fmt.Fprintf(&b, "<participant participant_id='%d'/>", i)
			}
			return b.String()
		}},
		"senders": {"<participant/>", 3000, func(all string) string {
			return all + strings.Repeat("<stream stream_id='s'><label>1</label></stream>", 40) + "<participantstreamassoc participant_id='q'>" +
				strings.ReplaceAll(all, "<participant/>", "<send>t</send>") + "</participantstreamassoc>"
		}},
	} {
		cost := func(times int) time.Duration {
			doc := []byte(root + c.in(strings.Repeat(c.unit, times)) + "</recording>")
			return peer.CPUTime(3, func() {
				r, err := metadata.Parse(doc)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if problems := r.Verify([]string{"1"}); len(problems) > 1000 {
					t.Fatalf("%s: %d problems", name, len(problems))
				}
				metadata.Merge(r, r)
				for _, s := range r.Streams[:min(len(r.Streams), 40)] {
					r.Senders(s.Label)
				}
			})
		}
		if short, long := cost(c.times/8), cost(c.times); long > 4*8*short {
			t.Errorf("%s: %v, an eighth of it %v", name, long, short)
		}
	}
}

// Labels that are no tokens are read, written and read again as they are: each stays another than the others.
func TestLabelsStayWhole(t *testing.T) {
	r := &metadata.Recording{DataMode: metadata.Complete}
	for _, label := range []string{"\x7f", "\u0080", "a\u0081", "a\u0082", strings.Repeat("x", 600) + "1", strings.Repeat("x", 600) + "2"} {
		r.Streams = append(r.Streams, metadata.Stream{ID: metadata.NewV4().ID(), Label: label})
	}
	for name, style := range map[string]metadata.Style{"": {}, "nested": {Nested: true}} {
		doc, err := r.Styled(style)
		if err != nil {
			t.Fatal(err)
		}
		back, err := metadata.Parse(doc)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range r.Streams {
			if got := back.Streams[i].Label; got != s.Label {
				t.Errorf("%s: label %q is read back as %q", name, s.Label, got)
			}
		}
	}
}
