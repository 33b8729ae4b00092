package policy_test

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"

	"sidetrack/policy"
)

func TestTemplate(t *testing.T) {
	tests := []struct{ text, want string }{
		{"plain", "plain"},
		{"", ""},
		{"{{/* nothing */}}", ""},
		{"{{.From.User}}", "alice"},
		{"{{.To.User}}@{{.To.Host}}", "+15550100@10.9.9.9"},
		{"{{.CallID}} {{.Method}} {{.Route}} {{.Listener}} {{.Source}}", "abc@192.0.2.9 INVITE in udp://0.0.0.0:5060 192.0.2.9"},
		{`{{.Header "x-QUEUE"}}`, "support"},
		{`[{{.Header "X-None"}}]`, "[]"},
		{`{{or (.Header "X-None") "none"}}`, "none"},
		{`{{with .Header "X-Queue"}}q={{.}}{{else}}none{{end}}`, "q=support"},
		{`{{with .From}}{{.User}} of {{$.CallID}}{{end}}`, "alice of abc@192.0.2.9"},
		{`{{if eq .To.Host "10.9.9.9"}}yes{{else}}no{{end}}`, "yes"},
		{`{{.From.User | upper}} {{lower "ABC"}} {{trim " x "}} {{print "a" "b"}} {{urlquery "a b&"}}`, "ALICE abc x ab a+b%26"},
		{`{{$u := .From.User}}{{$u}}`, "alice"},
		{`{{xml .From.Display}}`, "Alice &#34;A&#34; &lt;&amp;&gt;"},
		{`{{.From.Display}}`, `Alice "A" <&>`},
	}
	for _, tt := range tests {
		tmpl, err := policy.ParseTemplate("group", tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got, err := tmpl.Execute(invite()); got != tt.want || err != nil {
			t.Errorf("%s = %q, %v; want %q", tt.text, got, err, tt.want)
		}
		if _, err := tmpl.Execute(nil); err != nil {
			t.Errorf("%s of nothing: %v", tt.text, err)
		}
	}
}

func TestTemplateRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"{{.From.User", "1: unclosed action"},
		{"{{.From.Usr}}", "there is no .From.Usr; there are .From.URI, .From.User, .From.Host, .From.Display"},
		{"{{.Frm}}", `there is no .Frm; there are .From.User, .To.User, .CallID, .Header "X-Name", .Answer "X-Name" and others`},
		{"{{.CallID.X}}", "there is no .CallID.X; there are no fields in .CallID"},
		{"{{$.Nope}}", `there is no .Nope; there are .From.User, .To.User, .CallID, .Header "X-Name", .Answer "X-Name" and others`},
		{"{{if false}}{{.Nope}}{{end}}", `there is no .Nope; there are .From.User, .To.User, .CallID, .Header "X-Name", .Answer "X-Name" and others`},
		{"{{with .From}}{{.Nope}}{{end}}", "there is no .Nope; there are .URI, .User, .Host, .Display"},
		{"{{.Headers}}", `there is no .Headers; there are .From.User, .To.User, .CallID, .Header "X-Name", .Answer "X-Name" and others`},
		{"{{.Source.Next}}", "there is no .Source.Next; there are no fields in .Source"},
		{"{{range 1000000000}}x{{end}}", "{{range}} is not offered; use if, else or with"},
		{`{{printf "%999999d" 1}}`, `function "printf" is not offered; there are and, eq, ge, gt, ident, le, len, lower, lt, ne, not, or, print, trim, upper, urlquery, xml`},
		{`{{define "x"}}{{template "x"}}{{end}}{{template "x"}}`, "{{define}} and {{block}} are not offered; use if, else or with"},
		{`{{template "x"}}`, "only if, else and with are offered between actions"},
		{`{{define "x"}}y{{end}}`, "{{define}} and {{block}} are not offered; use if, else or with"},
		{`{{nothing .CallID}}`, `1: function "nothing" not defined`},
		{`{{lt .CallID 3}}`, `1:2: executing "group" at <lt .CallID 3>: error calling lt: incompatible types for comparison: string and int`},
		{strings.Repeat("x", policy.MaxTemplateText+1), "longer than 16 KiB"},
	}
	for _, tt := range tests {
		_, err := policy.ParseTemplate("group", tt.text)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%.40s:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestTemplateIsBounded(t *testing.T) {
	long := invite()
	long.CallID = strings.Repeat("&", policy.MaxTemplateOutput-1)
	for _, text := range []string{
		"{{.CallID}}{{.CallID}}",
		"{{xml .CallID}}", "{{urlquery .CallID}}", "{{print .CallID .CallID}}",
		"{{$a := print .CallID .CallID}}{{$a = print $a $a}}{{$a}}",
	} {
		tmpl, err := policy.ParseTemplate("group", text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, err := tmpl.Execute(long); !errors.Is(err, policy.ErrTooLong) || got != "" {
			t.Errorf("%s: %d bytes, %v", text, len(got), err)
		}
	}
}

func TestXMLTemplateEscapes(t *testing.T) {
	text := `<nameID aor="{{.From.URI}}">{{if .From.Display}}<name>{{.From.Display}}</name>{{end}}{{with .Header "X-Queue"}}<q>{{.}}</q>{{end}}</nameID>`
	tmpl, err := policy.ParseXMLTemplate("caller", text)
	if err != nil {
		t.Fatal(err)
	}
	in := invite()
	in.From.URI = `sip:"><evil/>@x`
	in.From.Display = "</name><name>\x00\xff"
	got, err := tmpl.Execute(in)
	want := "<nameID aor=\"sip:&#34;&gt;&lt;evil/&gt;@x\"><name>&lt;/name&gt;&lt;name&gt;\uFFFD\uFFFD</name><q>support</q></nameID>"
	if err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if err := xml.Unmarshal([]byte(got), new(struct{})); err != nil {
		t.Errorf("not well-formed: %v", err)
	}
	if tmpl.String() != text {
		t.Errorf("String() = %s", tmpl.String())
	}
}

func TestHeaderValue(t *testing.T) {
	for in, want := range map[string]string{
		"acme": "acme", "": "", " a ": "a",
		"a\r\nX-Evil: 1": "a X-Evil: 1", "a\x00b": "a b", "\r\n": "", "a\nb\nc": "a b c",
		"tab\there": "tab here", "Jürgen": "Jürgen", "a\xffb": "a b", "two  spaces": "two  spaces",
	} {
		if got := policy.HeaderValue(in); got != want {
			t.Errorf("HeaderValue(%q) = %q, want %q", in, got, want)
		}
	}
	tmpl, err := policy.ParseTemplate("X-Tenant", "{{.CallID}}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tmpl.ExecuteHeader(&policy.Invite{CallID: "a\r\nVia: b"}); got != "a Via: b" || err != nil {
		t.Errorf("ExecuteHeader = %q, %v", got, err)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"", "plain", "{{.From.User}}", `{{.Header "X-Queue"}}`, "{{with .From}}{{.User}}{{else}}x{{end}}",
		"{{range .Headers}}{{end}}", `{{define "a"}}{{end}}`, "{{$a := .CallID}}{{$a = print $a $a}}{{$a}}", "{{xml .CallID | upper}}",
		"{{break}}", "{{template \"group\"}}", "{{(.From).User}}", "{{nil}}", "{{.}}", "{{$}}", "{{len .Headers}}", "{{and .From .To}}"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	in := invite()
	in.CallID = strings.Repeat("<", 1000)
	f.Fuzz(func(t *testing.T, text string, isXML bool) {
		parse := policy.ParseTemplate
		if isXML {
			parse = policy.ParseXMLTemplate
		}
		tmpl, err := parse("group", text)
		if err != nil {
			if tmpl != nil {
				t.Fatal("a template and an error")
			}
			return
		}
		for _, in := range []*policy.Invite{in, nil} {
			out, err := tmpl.Execute(in)
			if len(out) > policy.MaxTemplateOutput || err != nil && out != "" {
				t.Fatalf("%d bytes, %v", len(out), err)
			}
			if h := policy.HeaderValue(out); strings.ContainsAny(h, "\r\n\x00") {
				t.Fatalf("header value %q", h)
			}
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	tmpl, err := policy.ParseTemplate("group", `{{.From.User}}-{{.Header "X-Queue"}}`)
	if err != nil {
		b.Fatal(err)
	}
	in := invite()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tmpl.Execute(in); err != nil {
			b.Fatal(err)
		}
	}
}
