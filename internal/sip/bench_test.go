package sip_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

// invite is what a desk phone sends: 870 octets, 17 field lines.
func invite() []byte {
	body := string(wire(
		"v=0",
		"o=- 3724394400 3724394405 IN IP4 192.0.2.20",
		"s=-",
		"c=IN IP4 192.0.2.20",
		"t=0 0",
		"m=audio 6000 RTP/AVP 0 8 9 101",
		"a=rtpmap:0 PCMU/8000",
		"a=rtpmap:8 PCMA/8000",
		"a=rtpmap:9 G722/8000",
		"a=rtpmap:101 telephone-event/8000",
		"a=sendrecv",
		"",
	))
	return wire(
		"INVITE sip:1000@192.0.2.1:5060;transport=udp SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.20:5060;branch=z9hG4bK-1234-1-0;rport",
		"Max-Forwards: 70",
		`From: "Alice Example" <sip:alice@example.com>;tag=1234abcd`,
		"To: <sip:bob@example.com>",
		"Call-ID: 1-1234@192.0.2.20",
		"CSeq: 1 INVITE",
		"Contact: <sip:alice@192.0.2.20:5060>",
		"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER",
		"Supported: replaces, timer, 100rel",
		"User-Agent: Example Phone 1.2.3",
		"P-Asserted-Identity: <sip:alice@example.com>",
		"X-Call-Class: internal",
		"X-Request-Origin: desk 14",
		"Session-Expires: 1800",
		"Min-SE: 90",
		"Content-Type: application/sdp",
		fmt.Sprintf("Content-Length: %d", len(body)),
		"",
		body,
	)
}

// siprecInvite is 3.3 kB: few fields, a large multipart body.
func siprecInvite() []byte {
	body := strings.Repeat("<participant participant_id=\"srfBElmCRp2QB23b7Mpk0w==\"/>\r\n", 47)
	return wire(
		"INVITE sip:srs@192.0.2.9 SIP/2.0",
		"Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKnashds8;rport",
		"Max-Forwards: 70",
		"From: <sip:recorder@192.0.2.1>;tag=35e195d2-947d-4585-946f-098392474",
		"To: <sip:srs@192.0.2.9>",
		"Call-ID: 3b1f4a@192.0.2.1",
		"CSeq: 101 INVITE",
		"Require: siprec",
		"Contact: <sip:src@192.0.2.1:5060;transport=tcp>;+sip.src",
		"Content-Type: multipart/mixed;boundary=foobar",
		fmt.Sprintf("Content-Length: %d", len(body)),
		"",
		body,
	)
}

func wire(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

func BenchmarkParse(b *testing.B) {
	for name, raw := range map[string][]byte{"invite": invite(), "siprec": siprecInvite()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := sip.Parse(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBytes(b *testing.B) {
	m := mustParse(b, invite())
	b.ReportAllocs()
	for b.Loop() {
		_ = m.Bytes()
	}
}

func BenchmarkNewResponse(b *testing.B) {
	m := mustParse(b, invite())
	b.ReportAllocs()
	for b.Loop() {
		_ = sip.NewResponse(m, 180, "")
	}
}

func BenchmarkAccessors(b *testing.B) {
	m := mustParse(b, invite())
	b.ReportAllocs()
	for b.Loop() {
		if m.CallID() == "" || m.FromTag() == "" || m.TopVia().Branch() == "" || m.CSeq().Num != 1 {
			b.Fatal("not read")
		}
	}
}

// BenchmarkParseHostile shows the cost per octet of messages made to be expensive: it is to stay in the range of the
// ordinary ones above.
func BenchmarkParseHostile(b *testing.B) {
	for name, raw := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				_, _ = sip.Parse(raw)
			}
		})
	}
}

// hostile are messages that try to make reading them expensive.
func hostile() map[string][]byte {
	base := func(field string) []byte {
		return bytes.Replace(invite(), []byte("X-Call-Class: internal"), []byte(field), 1)
	}
	params := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, ";p%d=%d", i, i)
		}
		return s.String()
	}
	lines := func(n int, line string) string { return strings.TrimSuffix(strings.Repeat(line+"\r\n", n), "\r\n") }
	return map[string][]byte{
		"uri parameters":      bytes.Replace(invite(), []byte(";transport=udp"), []byte(params(5000)), 1),
		"from parameters":     bytes.Replace(invite(), []byte(";tag=1234abcd"), []byte(params(5000)), 1),
		"via parameters":      bytes.Replace(invite(), []byte(";rport"), []byte(params(5000)), 1),
		"contact parameters":  bytes.Replace(invite(), []byte("5060>"), []byte("5060>"+params(5000)), 1),
		"many fields":         base(lines(12000, "X: 1")),
		"allowed fields":      base(lines(180, "X: 1")),
		"long field":          base("X: " + strings.Repeat("a", 60000)),
		"folded":              base("X: 1\r\n" + lines(15000, " 1")),
		"allowed folds":       base("X: 1\r\n" + lines(170, " 1")),
		"vias":                base(lines(100, "Via: SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK1")),
		"via list":            base("Via: " + strings.TrimSuffix(strings.Repeat("SIP/2.0/UDP 192.0.2.20,", 350), ",")),
		"open quotes":         base("Contact: " + strings.Repeat(`"`, 8001)),
		"escapes in NUL line": base("X: \"" + strings.Repeat("\\\x00", 4000)),
		"content lengths":     base(lines(180, "Content-Length: 229")),
		"angles":              base("Contact: " + strings.Repeat("<", 8000)),
		"commas":              base("Contact: " + strings.Repeat(",", 8000)),
	}
}

func mustParse(t testing.TB, raw []byte) *sip.Message {
	t.Helper()
	m, err := sip.Parse(raw)
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, raw)
	}
	return m
}
