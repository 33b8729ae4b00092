package redact_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sidetrack/internal/redact"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"sip:+4930123456@pbx.example;user=phone": "sip:***56@pbx.example;user=phone",
		"SIPS:alice@h":                           "SIPS:***@h",
		"sip:1234:secret@h":                      "sip:***@h",
		"sip:030-12345;phone-context=x@h":        "sip:***45@h",
		`"4930123456" <sip:4930123456@h>;tag=77`: `"***56" <sip:***56@h>;tag=77`,
		"tel:+1-201-555-0123;ext=5":              "tel:***23;ext=5",
		"tel:+1-201-555-0123>":                   "tel:***23>",
		"call from +49 (30) 123 456: gone":       "call from ***56: gone",
		"dialled 0049301234567, 112 and 65":      "dialled ***67, 112 and 65",
		"/x?from=%2B4930123456":                  "/x?from=***56",
		"4930123456@192.0.2.20":                  "***56@192.0.2.20",
		"sip:198.51.100.7:5060;transport=tcp":    "sip:198.51.100.7:5060;transport=tcp",
		"192.0.2.20:35060 [2001:db8::1]:5060":    "192.0.2.20:35060 [2001:db8::1]:5060",
		"12345678-1234-1234-1234-123456789012":   "12345678-1234-1234-1234-123456789012",
		"2026-11-21T18:43:08.123Z":               "2026-11-21T18:43:08.123Z",
		"vjhm7yva6sixaqym z9hG4bK3456789x":       "vjhm7yva6sixaqym z9hG4bK3456789x",
		"ports 20000-29999, call answered":       "ports 20000-29999, call answered",
		"":                                       "",
	} {
		if got := redact.Text(in); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
}

// Of a URI within a text everything stays but its password.
func TestPasswords(t *testing.T) {
	for in, want := range map[string]string{
		"sip:rec:secret@srs.example;transport=tcp":           "sip:rec:***@srs.example;transport=tcp",
		"SIPS:rec:s:e@cret@[2001:db8::1]:5061":               "SIPS:rec:***@[2001:db8::1]:5061",
		"sip:a;x=1:secret@h, sip:b@h:5060":                   "sip:a;x=1:***@h, sip:b@h:5060",
		"To: <sip:rec:secret@h>;tag=1":                       "To: <sip:rec:***@h>;tag=1",
		"resolving sip:rec:@h: no address":                   "resolving sip:rec:***@h: no address",
		"https://user:secret@h:8443/hook?x=a@b":              "https://user:***@h:8443/hook?x=a@b",
		"http://h:8080/a@b, udp://0.0.0.0:5060":              "http://h:8080/a@b, udp://0.0.0.0:5060",
		"sip:192.0.2.20:5060;x=a@b sip:h:5060?P=sip:a:b@c":   "sip:192.0.2.20:5060;x=a@b sip:h:5060?P=sip:a:***@c",
		"call-1:2@h of sip:alice@h, sip:[::1]:5060, tel:112": "call-1:2@h of sip:alice@h, sip:[::1]:5060, tel:112",
	} {
		if got := redact.Passwords(in); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
}

// No line has a password, whether or not numbers are masked; what holds none stays as it is.
func TestHandlerHidesPasswords(t *testing.T) {
	for _, numbers := range []bool{false, true} {
		var out bytes.Buffer
		var on atomic.Bool
		on.Store(numbers)
		const uri = "sip:rec:hush@h"
		log := slog.New(redact.NewHandler(slog.NewJSONHandler(&out, nil), &on)).With("bound", uri)
		log.Info("asking "+uri, "error", fmt.Errorf("at %s", uri), "list", []string{uri}, slog.Group("deep", "to", uri))
		log.Info("plain", "error", errors.New(uri))
		if line := out.String(); strings.Contains(line, "hush") || strings.Count(line, "***") != 7 {
			t.Errorf("%s", line)
		}
	}
	var out bytes.Buffer
	slog.New(redact.NewHandler(slog.NewJSONHandler(&out, nil), new(atomic.Bool))).Info("m", "to", "sip:4930123456@h", "took", time.Second, "n", 1)
	if line := out.String(); !strings.HasSuffix(line, `"msg":"m","to":"sip:4930123456@h","took":1000000000,"n":1}`+"\n") {
		t.Errorf("%s", line)
	}
}

type person struct{ Number string }

// Whatever carries a number into a line, it is not in it.
func TestHandler(t *testing.T) {
	var out bytes.Buffer
	var on atomic.Bool
	on.Store(true)
	log := slog.New(redact.NewHandler(slog.NewJSONHandler(&out, nil), &on))
	const number = "4930123456"
	log = log.With("from", "sip:"+number+"@h", "call", "c1", "sip_call_id", "77777777@h").WithGroup("g")
	log.Error("no answer of "+number, "error", fmt.Errorf("asking: %w", errors.New("tel:"+number)), "bytes", []byte(number),
		"list", []string{number, "b"}, "struct", person{number}, "pointer", &person{"b"}, slog.Group("deep", "to", number),
		"amount", 123456789, "took", 3*time.Second, "peer", netip.MustParseAddrPort("192.0.2.1:5060"))
	line := out.String()
	if strings.Contains(line, number) || strings.Count(line, "***56") != 7 {
		t.Errorf("%s", line)
	}
	for _, kept := range []string{`"amount":123456789`, `"took":3000000000`, `"peer":"192.0.2.1:5060"`, `"pointer":{"Number":"b"}`, `"call":"c1"`, `"sip_call_id":"77777777@h"`} {
		if !strings.Contains(line, kept) {
			t.Errorf("%s is not in %s", kept, line)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("sip:+4930123456@h", "tel:1")
	f.Fuzz(func(t *testing.T, a, b string) {
		const number = "+4930123456"
		got := redact.Text(a + " " + number + " " + b)
		if strings.Contains(got, number[1:]) && !strings.Contains(a+b, number[1:]) {
			t.Errorf("%q", got)
		}
	})
}
