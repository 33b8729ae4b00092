package sip_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

// FuzzParse: what is taken is written so that it reads the same again; what is refused can be answered.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/torture/*/*.dat")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add(invite())
	f.Add(siprecInvite())
	f.Add(bye())
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := sip.Parse(raw)
		if err != nil {
			fuzzRefusal(t, err)
			return
		}
		first := m.Bytes()
		if len(first) > sip.MaxMessage || len(m.Headers) > 150 {
			return // Content-Length may have taken it over a bound
		}
		again, err := sip.Parse(first)
		if err != nil {
			t.Fatalf("%v\n%q\nreceived\n%q", err, first, raw)
		}
		if !m.Has("Content-Length") { // Bytes gave it one
			m.Add("Content-Length", "")
		}
		if !slices.Equal(again.Headers, m.Headers) || !bytes.Equal(again.Body, m.Body) || !bytes.Equal(again.Bytes(), first) {
			t.Fatalf("%q\nreads again as\n%q", first, again.Bytes())
		}
		fuzzAccessors(m)
	})
}

func fuzzRefusal(t *testing.T, err error) {
	var refusal *sip.ParseError
	if !errors.As(err, &refusal) {
		t.Fatalf("error of type %T", err)
	}
	if refusal.Msg == nil {
		return
	}
	answer := sip.NewResponse(refusal.Msg, refusal.Status, refusal.Reason).Bytes()
	if head, _, _ := bytes.Cut(answer, []byte("\r\n\r\n")); bytes.IndexByte(head, 0) >= 0 {
		t.Fatalf("NUL in the answer %q", answer)
	}
}

func fuzzAccessors(m *sip.Message) {
	m.From()
	m.TopVia()
	m.Contact()
	m.ContentType()
	m.List("Via")
	m.HasToken("Supported", "timer")
	sip.NewResponse(m, 200, "").Bytes()
}

// FuzzURI: what is read is written so that it reads the same again.
func FuzzURI(f *testing.F) {
	for _, s := range []string{"sip:a:b@h:1;x=1;lr?y=z", "sips:[::1]:5061", "tel:+1;x", "sip:a[1]@h", `sip:h;q="a;?b"`, "sip:a@b@c;d=@e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := sip.ParseURI(s)
		if err != nil {
			return
		}
		again, err := sip.ParseURI(u.String())
		if err != nil || (urlParts{again}).key() != (urlParts{u}).key() || again.Params.String() != u.Params.String() {
			t.Fatalf("%q: %+v, written as %q: %+v, %v", s, u, u.String(), again, err)
		}
	})
}

// FuzzNameAddr: edits change what they are to change and nothing else.
func FuzzNameAddr(f *testing.F) {
	for _, s := range []string{`"A \"<;tag=1" <sip:a@h;tag=2> ; TAG = 3;x`, "sip:a@h;tag=1", "A<sip:a@h>", `<sip:a@h>;q=";tag=1"`, "sip:a@h ;tag;tag="} {
		f.Add(s, "t1")
	}
	f.Fuzz(func(t *testing.T, s, tag string) {
		n, err := sip.ParseNameAddr(s)
		if err != nil || len(n.Params) > 60 {
			return
		}
		if tag == "" || strings.ContainsAny(tag, " \t;=\"\\") {
			tag = "t1"
		}
		tagged, err := sip.ParseNameAddr(sip.WithTag(s, tag))
		if err != nil || tagged.Tag() != tag || tagged.URI != n.URI || tagged.Display != n.Display {
			t.Fatalf("%q with tag %q: %q, %+v, %v", s, tag, sip.WithTag(s, tag), tagged, err)
		}
		bare, err := sip.ParseNameAddr(sip.WithTag(s, ""))
		if err != nil || bare.Params.Has("tag") || bare.URI != n.URI {
			t.Fatalf("%q without tag: %q, %v", s, sip.WithTag(s, ""), err)
		}
		if same := sip.WithURI(s, n.URI); same != s {
			t.Fatalf("%q with its own URI: %q", s, same)
		}
		moved, err := sip.ParseNameAddr(sip.WithURI(s, "sip:x@y;lr"))
		if err != nil || moved.URI != "sip:x@y;lr" || moved.Params.String() != n.Params.String() || moved.Display != n.Display {
			t.Fatalf("%q moved: %q, %v", s, sip.WithURI(s, "sip:x@y;lr"), err)
		}
	})
}
