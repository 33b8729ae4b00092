package sip_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

func TestParseNameAddr(t *testing.T) {
	for value, wanted := range map[string]sip.NameAddr{
		"<sip:a@h>":                       {URI: "sip:a@h"},
		"sip:a@h":                         {URI: "sip:a@h"},
		" sip:a@h ; tag = 1":              {URI: "sip:a@h", Params: sip.Params{{"tag", "1", true}}},
		"sip:a@h;tag=1;x":                 {URI: "sip:a@h", Params: sip.Params{{"tag", "1", true}, {"x", "", false}}},
		"<sip:a@h;tag=9>;TAG=1":           {URI: "sip:a@h;tag=9", Params: sip.Params{{"TAG", "1", true}}},
		"Alice<sip:a@h>":                  {Display: "Alice", URI: "sip:a@h"},
		"Alice B. Müller <sip:a@h>":       {Display: "Alice B. Müller", URI: "sip:a@h"},
		`"A;tag=7 <sip:x@y>" <sip:a@h>`:   {Display: "A;tag=7 <sip:x@y>", URI: "sip:a@h"},
		`"A \"B\" \\" <sip:a@h>;tag=1`:    {Display: `A "B" \`, URI: "sip:a@h", Params: sip.Params{{"tag", "1", true}}},
		"\t\"\" <tel:+1>;;a=\"x;y\" ;b":   {URI: "tel:+1", Params: sip.Params{{"a", `"x;y"`, true}, {"b", "", false}}},
		"<sip:a@h>;tag":                   {URI: "sip:a@h", Params: sip.Params{{"tag", "", false}}},
		"<sip:a?Route=%3Csip:x%3E@h?b=c>": {URI: "sip:a?Route=%3Csip:x%3E@h?b=c"},
	} {
		got, err := sip.ParseNameAddr(value)
		if err != nil || got.Display != wanted.Display || got.URI != wanted.URI || got.Params.String() != wanted.Params.String() {
			t.Errorf("%q: %+v, %v", value, got, err)
		}
	}
	for _, value := range []string{
		"", " ", "alice", "<>", "<sip:a@h", "sip:a@h>", `"Alice <sip:a@h>`, "Bell, Alexander <sip:a@h>", "< sip:a@h >",
		"sip:a@h?Route=x", "<sip:a@h> x", "<sip:a@h>, <sip:b@h>", `<sip:a@h>;x="`, "<sip:a@h>;=1", "sip:", ";tag=1", "sip:a b@h",
		"<sip:a@h>" + strings.Repeat(";a", 65),
	} {
		if got, err := sip.ParseNameAddr(value); err == nil {
			t.Errorf("%q is taken as %+v", value, got)
		}
	}
}

func TestWithTag(t *testing.T) {
	for _, c := range []struct{ value, tag, want string }{
		{"<sip:a@h>", "1", "<sip:a@h>;tag=1"},
		{"<sip:a@h>", "", "<sip:a@h>"},
		{"sip:a@h", "1", "sip:a@h;tag=1"},
		{"<sip:a@h>;tag=old", "new", "<sip:a@h>;tag=new"},
		{"<sip:a@h>;tag=old", "", "<sip:a@h>"},
		{"<sip:a@h> ;\tTAG = old ; x=1", "new", "<sip:a@h> ;\tTAG = new ; x=1"},
		{"<sip:a@h> ; x = 1 ;TAG=old", "", "<sip:a@h> ; x = 1 "},
		{"<sip:a@h>;a=1;tag=old;b", "", "<sip:a@h>;a=1;b"},
		{`"x;tag=1 <" <sip:a@h;tag=2>;tag=3`, "4", `"x;tag=1 <" <sip:a@h;tag=2>;tag=4`},
		{`"x;tag=1" <sip:a@h;tag=2>`, "4", `"x;tag=1" <sip:a@h;tag=2>;tag=4`},
		{`<sip:a@h>;q=";tag=9";tag=3`, "4", `<sip:a@h>;q=";tag=9";tag=4`},
		{"<sip:a@h>;tag;x", "1", "<sip:a@h>;tag=1;x"},
		{"<sip:a@h>;tag=;x", "1", "<sip:a@h>;tag=1;x"},
		{"<sip:a@h>;tag=1;x;Tag=2", "3", "<sip:a@h>;tag=3;x"},
		{"<sip:a@h>;mytag=1", "2", "<sip:a@h>;mytag=1;tag=2"},
		{"sip:a@h ;tag=1", "2", "sip:a@h ;tag=2"},
		{"nonsense", "2", "nonsense"},
	} {
		if got := sip.WithTag(c.value, c.tag); got != c.want {
			t.Errorf("WithTag(%q, %q) = %q, want %q", c.value, c.tag, got, c.want)
		}
	}
}

func TestWithURI(t *testing.T) {
	for _, c := range []struct{ value, uri, want string }{
		{"<sip:a@h>", "sip:b@g", "<sip:b@g>"},
		{`"a <x>"  <sip:a@h;lr> ; q = 1`, "sip:b@g;x", `"a <x>"  <sip:b@g;x> ; q = 1`},
		{"sip:a@h;tag=1", "sip:b@g", "sip:b@g;tag=1"},
		{"sip:a@h;tag=1", "sip:b@g;lr", "<sip:b@g;lr>;tag=1"},
		{" sip:a@h", "sip:b@g?x=y", " <sip:b@g?x=y>"},
		{"Alice<sip:a@h>", "tel:+1", "Alice<tel:+1>"},
		{"*", "sip:b@g", "<sip:b@g>"},
		{"", "sip:b@g", "<sip:b@g>"},
	} {
		if got := sip.WithURI(c.value, c.uri); got != c.want {
			t.Errorf("WithURI(%q, %q) = %q, want %q", c.value, c.uri, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, quoted := range map[string]string{
		"":            `""`,
		`a "b" \`:     `"a \"b\" \\"`,
		"a\r\nb":      `"a  b"`,
		"nul \x00 in": "\"nul \\\x00 in\"",
	} {
		want(t, "Quote", sip.Quote(text), quoted)
		if !strings.ContainsAny(text, "\r\n") {
			want(t, "Unquote", sip.Unquote(quoted), text)
		}
	}
	want(t, "not quoted", sip.Unquote(`a\b`), `a\b`)
}
