package sip_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

func TestParseURI(t *testing.T) {
	for text, wanted := range map[string]sip.URI{
		"sip:h":                           {Scheme: "sip", Host: "h"},
		"SIPS:a@h:5061":                   {Scheme: "sips", User: "a", Host: "h", Port: 5061},
		"sip:a:pw@h;transport=TCP;lr":     {Scheme: "sip", User: "a", Password: "pw", Host: "h", Params: sip.Params{{"transport", "TCP", true}, {"lr", "", false}}},
		"sip:a[1]@10.0.0.2":               {Scheme: "sip", User: "a[1]", Host: "10.0.0.2"},
		"sip:[2001:db8::1]":               {Scheme: "sip", Host: "2001:db8::1"},
		"sip:a@[::ffff:192.0.2.1]:5070":   {Scheme: "sip", User: "a", Host: "::ffff:192.0.2.1", Port: 5070},
		"sip:+49;phone-context=x@h?a=b&c": {Scheme: "sip", User: "+49;phone-context=x", Host: "h", Headers: "a=b&c"},
		"sip:a?b@h":                       {Scheme: "sip", User: "a?b", Host: "h"},
		"sip:a@b@h":                       {Scheme: "sip", User: "a@b", Host: "h"},
		"sip:victim@evil;x=@trusted":      {Scheme: "sip", User: "victim", Host: "evil", Params: sip.Params{{"x", "@trusted", true}}},
		`sip:a@h;foo="x;?y";lr`:           {Scheme: "sip", User: "a", Host: "h", Params: sip.Params{{"foo", `"x;?y"`, true}, {"lr", "", false}}},
		"sip:%00a%40b@h_1.example.com.":   {Scheme: "sip", User: "%00a%40b", Host: "h_1.example.com."},
		"tel:+49-30;ext=1":                {Scheme: "tel", Opaque: "+49-30;ext=1"},
		"soap.beep://192.0.2.103:3002":    {Scheme: "soap.beep", Opaque: "//192.0.2.103:3002"},
	} {
		u, err := sip.ParseURI(text)
		if err != nil || u.Params.String() != wanted.Params.String() {
			t.Errorf("%q: %+v, %v", text, u, err)
			continue
		}
		if back := u.String(); !strings.EqualFold(back, text) {
			t.Errorf("%q is written back as %q", text, back)
		}
		u.Params, wanted.Params = nil, nil
		if got := (urlParts{u}).key(); got != (urlParts{wanted}).key() {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, text := range []string{
		"", "sip", "sip:", "1sip:h", "<sip:h>", "sip:h:", "sip:h:x", "sip:h:65536", "sip:2001:db8::1", "sip:[2001:db8::1",
		"sip:[2001:db8:::1]", "sip:[1.2.3.4]", "sip:[fe80::1%25eth0]", "sip:[::1]x", "sip:a b@h", "sip:a@", "sip:a@h\x00", "sip://h",
		"sip:h\r\nX: 1", "sip:h;=x", `sip:h;a="x`, "sip:h" + strings.Repeat(";a", 65),
	} {
		if u, err := sip.ParseURI(text); err == nil {
			t.Errorf("%q is taken as %+v", text, u)
		}
	}
}

// urlParts makes a URI without parameters comparable.
type urlParts struct{ sip.URI }

func (p urlParts) key() string {
	return strings.Join([]string{p.Scheme, p.User, p.Password, sip.FormatHostPort(p.Host, p.Port), p.Headers, p.Opaque}, "|")
}

func TestURIViews(t *testing.T) {
	u, err := sip.ParseURI(`sip:[2001:db8::1];Transport="TCP"`)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "transport", u.Transport(), "tcp")
	addr, ok := u.Addr()
	want(t, "numeric", ok, true)
	want(t, "address", addr.String(), "2001:db8::1")
	if _, ok := (sip.URI{Host: "example.com"}).Addr(); ok {
		t.Error("a name is taken as an address")
	}
}

func TestParseVia(t *testing.T) {
	for text, wanted := range map[string]string{
		"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport":        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
		"sip / 2.0 /\tTLS   h.example.com : 5061 ; branch = x ;a": "SIP/2.0/TLS h.example.com:5061;branch=x;a",
		"SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]":  "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]",
		`SIP/2.0/WSS h;x="a,b;c"`:                                 `SIP/2.0/WSS h;x="a,b;c"`,
		"SIP/2.0/UNKNOWN 192.0.2.1;;branch=1":                     "SIP/2.0/UNKNOWN 192.0.2.1;branch=1",
	} {
		v, err := sip.ParseVia(text)
		if err != nil || v.String() != wanted {
			t.Errorf("%q: %q, %v", text, v.String(), err)
		}
	}
	for _, text := range []string{
		"", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/3.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0 h", "SIP/2.0/UDP h:x", "SIP/2.0/UDP 2001:db8::1",
		"SIP/2.0/UDP h i", "SIP/2.0/UDP ;branch=1", `SIP/2.0/UDP h;x="`, "SIP/2.0/U,DP h", "SIP/2.0/UDP h" + strings.Repeat(";a", 65),
	} {
		if v, err := sip.ParseVia(text); err == nil {
			t.Errorf("%q is taken as %+v", text, v)
		}
	}
}
