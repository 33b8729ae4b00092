package metadata_test

import (
	"strings"
	"testing"

	"sidetrack/metadata"
)

func TestParseExtensions(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"none":                     {"", nil},
		"blanks":                   {" \n\t", nil},
		"foreign":                  {`<cc:id xmlns:cc="urn:example:cc">17</cc:id>`, []string{`<cc:id xmlns:cc="urn:example:cc">17</cc:id>`}},
		"default namespace":        {`<id xmlns="urn:example:cc"><a/></id>`, []string{`<id xmlns="urn:example:cc"><a/></id>`}},
		"bare":                     {`<code lang="x">1 &lt; 2</code>`, []string{`<code lang="x" xmlns="urn:sidetrack:metadata:1">1 &lt; 2</code>`}},
		"bare within foreign":      {`<c:a xmlns:c="urn:c"><b/></c:a>`, []string{`<c:a xmlns:c="urn:c" xmlns="urn:sidetrack:metadata:1"><b/></c:a>`}},
		"none within foreign":      {`<c:a xmlns:c="urn:c"><b xmlns="urn:b"/></c:a>`, []string{`<c:a xmlns:c="urn:c"><b xmlns="urn:b"/></c:a>`}},
		"several":                  {`<a/> <b/>`, []string{`<a xmlns="urn:sidetrack:metadata:1"/>`, `<b xmlns="urn:sidetrack:metadata:1"/>`}},
		"comments and such":        {`<!-- x --><?y z?><a><!-- - -->t<?y?></a>`, []string{`<a xmlns="urn:sidetrack:metadata:1">t</a>`}},
		"mixed text keeps blanks":  {"<a>one <b>two</b>\n three</a>", []string{"<a xmlns=\"urn:sidetrack:metadata:1\">one <b>two</b>\n three</a>"}},
		"CDATA":                    {`<a><![CDATA[1 < 2]]></a>`, []string{`<a xmlns="urn:sidetrack:metadata:1">1 &lt; 2</a>`}},
		"language":                 {`<a xml:lang="en-GB"/>`, []string{`<a xml:lang="en-GB" xmlns="urn:sidetrack:metadata:1"/>`}},
		"a prefixed name of xmlns": {`<a c:xmlns="1" xmlns:c="urn:c"/>`, []string{`<a c:xmlns="1" xmlns:c="urn:c" xmlns="urn:sidetrack:metadata:1"/>`}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := metadata.ParseExtensions(tc.in)
			if err != nil || len(got) != len(tc.want) {
				t.Fatalf("got %v, %v", got, err)
			}
			for i, want := range tc.want {
				if got[i].String() != want {
					t.Errorf("got %s, want %s", got[i], want)
				}
			}
		})
	}
}

// broken is XML that no extension may hold, and what the error must name.
var broken = map[string]string{
	`<a>`:                 "not well-formed",
	`<a></b>`:             "not well-formed",
	`</session><session>`: "not well-formed",
	`text`:                "outside of an element",
	`<a/>text`:            "outside of an element",
	`<a>&nbsp;</a>`:       "not well-formed",
	`<a>A & B</a>`:        "not well-formed",
	`<a b=c/>`:            "not well-formed",
	`<a b="1" b="2"/>`:    "twice",
	`<a x:b="1" y:b="2" xmlns:x="u" xmlns:y="u"/>`: "twice",
	`<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`:     "not well-formed",
	`<!DOCTYPE a><a/>`:                             "document type",
	`<x:a/>`:                                       "not declared",
	`<a x:b="1"/>`:                                 "not declared",
	`<a xmlns:x=""/>`:                              "cannot be declared",
	`<a xmlns=""/>`:                                "needs a namespace",
	`<label xmlns="urn:ietf:params:xml:ns:recording:1"/>`:                     "namespace of RFC 7865",
	`<a><label xmlns="urn:ietf:params:xml:ns:recording:1"/></a>`:              "namespace of RFC 7865",
	`<a xsi:type="b" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>`: "xsi:type",
	`<a xml:lang="not a language"/>`:                                          "no language tag",
	`<x:1a xmlns:x="u"/>`:                                                     "not a name",
	"<a>\x00</a>":                                                             "not well-formed",
	"<a>\xff</a>":                                                             "not well-formed",
	"<a>" + strings.Repeat("x", 65<<10) + "</a>":                              "more than",
	strings.Repeat("<a>", 99) + strings.Repeat("</a>", 99):                    "not well-formed",
	`<a ` + strings.Repeat(`b="" `, 40) + `/>`:                                "more than",
	`<?xml version="1.0" encoding="utf-32"?><a/>`:                             "not well-formed",
}

func TestParseExtensionsRefuses(t *testing.T) {
	for in, want := range broken {
		if x, err := metadata.ParseExtensions(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, %v, want %q", in, x, err, want)
		}
	}
}

func TestParseNameIDs(t *testing.T) {
	got := nameIDs(t, `<nameID aor="sip:a b@x"><name>A &amp; B</name></nameID> <nameID aor="tel:+1"/>`)
	want := []metadata.NameID{{AOR: "sip:a%20b@x", Name: "A & B"}, {AOR: "tel:+1"}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v", got)
	}
	for in, want := range map[string]string{
		"":                                    "no element",
		"<nameID/>":                           "without aor",
		`<nameID aor=" "/>`:                   "without aor",
		`<name>x</name>`:                      "only <nameID>",
		`<nameID aor="sip:a@x"><b/></nameID>`: "one <name>",
		`<nameID aor="sip:a@x"><name/><name/></nameID>`:       "one <name>",
		`<nameID aor="sip:a@x"><name xml:lang="?"/></nameID>`: "no language tag",
		`<nameID aor="sip:a@x">`:                              "not well-formed",
	} {
		if x, err := metadata.ParseNameIDs(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", in, x, err, want)
		}
	}
}

// TestExtensionsInDocument: an extension keeps its meaning when it is written
// into a document with another default namespace, and when it is read back.
func TestExtensionsInDocument(t *testing.T) {
	lint := xmllint(t)
	x := extensions(t, `<a>one <b>two</b></a><cc:id xmlns:cc="urn:example:cc" cc:k="v">17<x xmlns=""/></cc:id>`)
	r := metadata.NewBuilder(metadata.BuilderConfig{IDs: counter(), Group: "g", GroupExtensions: x, SessionExtensions: x}).Complete(call(), both(), t0)
	doc := document(t, r, nil)
	if err := lint(doc); err != nil {
		t.Errorf("%v in\n%s", err, doc)
	}
	back, err := metadata.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range back.Sessions[0].Extensions[1:] {
		if e != x[i] {
			t.Errorf("got %s, want %s", e, x[i])
		}
	}
}
