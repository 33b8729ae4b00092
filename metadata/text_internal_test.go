package metadata

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Alice":                        "Alice",
		` "A & B" <x>`:                 `"A & B" <x>`,
		"a\x00b\x01c\x7fd":             "abcd",
		"line\r\nbreak\ttab":           "line  break tab",
		"\xff\xfe":                     "\uFFFD",
		"Bořivoj 张":                    "Bořivoj 张",
		"no\uffffchar\ufffe":           "nochar",
		strings.Repeat("é", maxText):   strings.Repeat("é", maxText/2),
		strings.Repeat("x", maxText*9): strings.Repeat("x", maxText),
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%.40q) = %.40q, want %.40q", in, got, want)
		}
	}
}

func TestCanonicalAOR(t *testing.T) {
	for in, want := range map[string]string{
		"sip:alice@example.com":                "sip:alice@example.com",
		"SIP:alice@example.com;user=phone?a=b": "SIP:alice@example.com;user=phone?a=b",
		"<sip:alice@example.com>":              "sip:alice@example.com",
		"tel:+1-555":                           "tel:+1-555",
		"sip:a%20b@x":                          "sip:a%20b@x",
		"sip:a%zz@x":                           "sip:a%25zz@x",
		"sip:a%":                               "sip:a%25",
		"sip:a b&c<d>\"e\"@x":                  "sip:a%20b&c%3Cd%3E%22e%22@x",
		"sip:*72#@x":                           "sip:*72%23@x",
		"sip:a@[2001:db8::1]:5060":             "sip:a@%5B2001:db8::1%5D:5060",
		"sip:é@x":                              "sip:%C3%A9@x",
		"sip:\xff\x00@x":                       "sip:%FF%00@x",
		"alice@example.com":                    "sip:alice@example.com",
		"10.0.0.1:5060":                        "sip:10.0.0.1%3A5060@unknown.invalid",
		"10.0.0.1":                             "10.0.0.1",
		"pbx.example.com":                      "pbx.example.com",
		"+15551234":                            "tel:+15551234",
		"1001":                                 "tel:1001",
		"":                                     "sip:anonymous@anonymous.invalid",
		"Alice Smith":                          "sip:Alice%20Smith@unknown.invalid",
		"sip:":                                 "sip:sip%3A@unknown.invalid",
		"Smith: Alice":                         "sip:Smith%3A%20Alice@unknown.invalid",
		"2001:db8::1":                          "sip:2001%3Adb8%3A%3A1@unknown.invalid",
		"sip:" + strings.Repeat("é", maxAOR):   "sip:" + strings.Repeat("%C3%A9", maxAOR)[:(maxAOR-4)/3*3],
		"sip:x" + strings.Repeat("\"", maxAOR): "sip:x" + strings.Repeat("%22", maxAOR)[:(maxAOR-5)/3*3],
	} {
		got := canonicalAOR(in)
		if got != want {
			t.Errorf("canonicalAOR(%.60q) = %.60q, want %.60q (%d, %d bytes)", in, got, want, len(got), len(want))
		}
		if !validAOR(got) || canonicalAOR(got) != got {
			t.Errorf("canonicalAOR(%.60q) = %.60q is not valid, or not stable", in, got)
		}
	}
}

func TestValidAOR(t *testing.T) {
	for in, want := range map[string]bool{
		"sip:a@b": true, "sips:a@[2001:db8::1]": true, "tel:+1": true, "example.com": true, "192.0.2.1": true, "2001:db8::1": true, "[::1]": true,
		"Alice Smith": false, "": false, "alice": false, "sip:": false, "sip:a b@c": false, "sip:%zz": false, "\"Alice\" <sip:a@b>": false,
	} {
		if got := validAOR(in); got != want {
			t.Errorf("validAOR(%q) = %v", in, got)
		}
	}
}

func TestCanonicalSessionID(t *testing.T) {
	const a, b = "ab30317f1a784dc48ff824d0d3715d86", "47755a9de7794ba387653f2099600ef2"
	for in, want := range map[string]string{
		a + ";remote=" + b:                          a + ";remote=" + b,
		" " + strings.ToUpper(a) + " ; remote=" + b: a + ";remote=" + b,
		a + ";remote=" + b + ";logme":               a + ";remote=" + b,
		a:                                           "", // RFC 7329, not 7989
		"a84b4c76e66710@pbx.example.com":            "",
		a + ";remote=" + b + "0":                    "",
		"":                                          "",
	} {
		if got := canonicalSessionID(in); got != want {
			t.Errorf("canonicalSessionID(%q) = %q, want %q", in, got, want)
		}
	}
}
