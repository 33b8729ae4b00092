package sip_test

import (
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

func TestCompactFormsEqualLongOnes(t *testing.T) {
	for short, long := range map[string]string{
		"a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
		"e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
		"l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject",
		"t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
	} {
		for _, spelling := range []string{short, strings.ToUpper(short), long, strings.ToLower(long)} {
			m := &sip.Message{Headers: []sip.Header{{Name: spelling, Value: "1"}}}
			for _, name := range []string{short, strings.ToUpper(short), long, strings.ToUpper(long)} {
				if m.Get(name) != "1" || !m.Has(name) || len(m.All(name)) != 1 || len(m.List(name)) != 1 || !m.HasToken(name, "1") {
					t.Errorf("field %q is not found as %q", spelling, name)
				}
			}
			m.Set(long, "2")
			if len(m.Headers) != 1 || m.Headers[0] != (sip.Header{Name: spelling, Value: "2"}) {
				t.Errorf("Set(%q) on %q made %v", long, spelling, m.Headers)
			}
			if m.Del(short); len(m.Headers) != 0 {
				t.Errorf("Del(%q) left %v", short, m.Headers)
			}
		}
	}
	if sip.SameName("z", "q") || sip.SameName("", "To") || !sip.SameName("z", "Z") {
		t.Error("names without a compact form")
	}
}

func TestFieldsAreEditedInPlace(t *testing.T) {
	m := sip.NewRequest("OPTIONS", "sip:a@example.com")
	for _, h := range []sip.Header{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}, {"A", "5"}} {
		m.Add(h.Name, h.Value)
	}
	m.Set("A", "9")
	want(t, "after Set", line(m), "A=9 B=2 C=4")
	m.Prepend("D", "0")
	want(t, "after Prepend", line(m), "D=0 A=9 B=2 C=4")
	m.Del("b")
	want(t, "after Del", line(m), "D=0 A=9 C=4")
	m.Set("E", "5")
	want(t, "after Set of a new one", line(m), "D=0 A=9 C=4 E=5")

	c := m.Clone()
	c.Set("A", "1")
	c.Add("F", "6")
	c.Prepend("G", "7")
	want(t, "original of a changed clone", line(m), "D=0 A=9 C=4 E=5")
}

func line(m *sip.Message) string {
	var s []string
	for _, h := range m.Headers {
		s = append(s, h.Name+"="+h.Value)
	}
	return strings.Join(s, " ")
}

func TestListsAreSplitOutsideQuotesAndBrackets(t *testing.T) {
	m := &sip.Message{}
	m.Add("Route", `<sip:a@h;x=",">, "Smith, \"John\"" <sip:b,c@h;lr>`)
	m.Add("route", ` , sip:d@h ,`)
	m.Add("Supported", "timer, 100rel;q=1 ,Replaces")
	m.Add("Supported", "")
	got := m.List("Route")
	if !slices.Equal(got, []string{`<sip:a@h;x=",">`, `"Smith, \"John\"" <sip:b,c@h;lr>`, "sip:d@h"}) {
		t.Errorf("List: %q", got)
	}
	if n := len(m.All("Route")); n != 2 {
		t.Errorf("All: %d lines", n)
	}
	for _, token := range []string{"timer", "100REL", "replaces"} {
		if !m.HasToken("k", token) {
			t.Errorf("token %s not found", token)
		}
	}
	if m.HasToken("Supported", "rel") || m.HasToken("Require", "timer") {
		t.Error("found a token that is not there")
	}
}

func TestParsedViewsFollowTheFields(t *testing.T) {
	m := mustParse(t, invite())
	want(t, "From-tag", m.FromTag(), "1234abcd")
	m.Set("From", "<sip:x@example.com>;tag=other")
	want(t, "From-tag after Set", m.FromTag(), "other")
	m.Headers[m1(m, "To")].Value = "<sip:y@example.com>;TAG = t2"
	want(t, "To-tag after a change of Headers", m.ToTag(), "t2")
	m.Prepend("Via", "SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKnew")
	want(t, "top Via", m.TopVia().Branch()+" "+m.TopVia().Host, "z9hG4bKnew 2001:db8::1")
	m.Del("From")
	want(t, "From without a field", m.FromTag(), "")
}

func m1(m *sip.Message, name string) int {
	return slices.IndexFunc(m.Headers, func(h sip.Header) bool { return h.Is(name) })
}

func TestContact(t *testing.T) {
	for value, uri := range map[string]string{
		"<sip:a@h;x=1>;expires=3":          "sip:a@h;x=1",
		`"A, B" <sip:a@h>, <sip:c@h>`:      "sip:a@h",
		"sip:a@h;expires=3":                "sip:a@h",
		" , <sip:late@h>":                  "sip:late@h",
		"*":                                "",
		"":                                 "",
		"<sip:a@h":                         "",
		"<tel:+4912345;phone-context=e.g>": "tel:+4912345;phone-context=e.g",
	} {
		m := &sip.Message{Headers: []sip.Header{{Name: "m", Value: value}}}
		got, ok := m.Contact()
		if ok != (uri != "") || got.URI != uri {
			t.Errorf("%q: %+v, %v", value, got, ok)
		}
	}
}

func TestSetBody(t *testing.T) {
	m := mustParse(t, invite())
	m.Add("Content-Disposition", "session")
	m.SetBody("application/foo", []byte("12345"))
	want(t, "type", m.ContentType(), "application/foo")
	if raw := string(m.Bytes()); !strings.Contains(raw, "\r\nContent-Length: 5\r\n") || !strings.HasSuffix(raw, "\r\n\r\n12345") {
		t.Errorf("wire form:\n%s", raw)
	}
	m.SetBody("", nil)
	if m.Has("Content-Type") || m.Has("Content-Disposition") {
		t.Error("an empty body is still described")
	}
	if raw := string(m.Bytes()); !strings.HasSuffix(raw, "\r\nContent-Length: 0\r\n\r\n") {
		t.Errorf("wire form:\n%s", raw)
	}
}

func TestMediaType(t *testing.T) {
	for value, wanted := range map[string]string{
		"Application/SDP":                  "application/sdp",
		" application / sdp ; charset=x":   "application/sdp",
		`multipart/mixed;boundary="a;b"`:   "multipart/mixed",
		"nonsense":                         "nonsense",
		"":                                 "",
		"application/rs-metadata+xml;x=/y": "application/rs-metadata+xml",
	} {
		want(t, value, sip.MediaType(value), wanted)
	}
}

// TestNoValueBecomesAField guards against line breaks that come from our own side, such as a template's result.
func TestNoValueBecomesAField(t *testing.T) {
	m := sip.NewRequest("INVITE", "sip:a@h\r\nX-Evil: 1")
	m.Add("Subject", "a\r\nX-Evil: 2")
	m.Add("X\r\nX-Evil", "3")
	m.Add("Content-Length", "77")
	raw := string(m.Bytes())
	if strings.Contains(raw, "\nX-Evil") || strings.Count(raw, "Content-Length") != 1 {
		t.Errorf("wire form:\n%s", raw)
	}
}
