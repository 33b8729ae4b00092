package sip_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

// bye is a small request; each edit replaces one string by another.
func bye(edits ...string) []byte {
	return []byte(strings.NewReplacer(edits...).Replace(string(wire(
		"BYE sip:b@192.0.2.7:5062 SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
		"From: <sip:a@example.com>;tag=1",
		"To: <sip:b@example.com>;tag=2",
		"Call-ID: 1@h",
		"CSeq: 2 BYE",
		"Max-Forwards: 70",
		"Subject: x",
		"Content-Length: 0",
		"", ""))))
}

func TestParseKeepsBytes(t *testing.T) {
	head := []string{
		"iNVITE sip:Bob%20B@EXAMPLE.com;Transport=udp;x=\"1\" SIP/2.0",
		"v: SIP/2.0/UDP  192.0.2.1 : 5060 ;branch=z9hG4bK1",
		"From: Alice  Ä. <sip:a@example.com> ; tag = 1",
		`t: "Bob" <sip:b@example.com>`,
		"i: 1@h",
		"CSeq: 1  iNVITE",
		"IDENTITY: eyJ,,;;==;info=<https://x>;alg=ES256",
		"m: sip:a@192.0.2.1;q=.5",
		"X-Empty: ",
		"x-empty: 1,, 2",
		"Record-Route: \"P\" <sip:p;lr>;foo=\"x\"",
		"Warning: 399 h \"a \\\" b\"",
		"k: timer",
	}
	raw := wire(append(head, "Content-Length: 3", "", "a\x00\n")...)
	m := mustParse(t, raw)
	if got := m.Bytes(); !bytes.Equal(got, raw) {
		t.Errorf("written back as\n%q\nreceived\n%q", got, raw)
	}
	want(t, "method", m.Method, "iNVITE")
	raw[len(raw)-1] = 'x' // the caller reads its next message into the same buffer
	want(t, "body", string(m.Body), "a\x00\n")
}

func TestParseTolerates(t *testing.T) {
	for name, c := range map[string]struct {
		raw   []byte
		check func(*sip.Message) bool
	}{
		"line breaks ahead":     {append([]byte("\r\n\r\n"), bye()...), nil},
		"folding":               {bye("Subject: x", "Subject: x\r\n\t y \r\n  z"), func(m *sip.Message) bool { return m.Get("s") == "x y z" }},
		"folding on empty":      {bye("Subject: x", "Subject:\r\n x"), func(m *sip.Message) bool { return m.Get("s") == "x" }},
		"spaced colon":          {bye("Subject: x", "Subject \t:x"), func(m *sip.Message) bool { return m.Get("s") == "x" }},
		"surplus octets":        {append(bye(), "INVITE"...), func(m *sip.Message) bool { return len(m.Body) == 0 }},
		"no Content-Length":     {append(bye("Content-Length: 0\r\n", ""), "abc"...), func(m *sip.Message) bool { return string(m.Body) == "abc" }},
		"equal Content-Lengths": {bye("Subject: x", "l: 0"), nil},
		"no Max-Forwards":       {bye("Max-Forwards: 70\r\n", ""), nil},
		"large Max-Forwards":    {bye("70", "300"), nil},
		"no tags":               {bye(";tag=1", "", ";tag=2", ""), nil},
		"CSeq zeros":            {bye("2 BYE", "0000000000002 \t BYE"), func(m *sip.Message) bool { return m.CSeq().Num == 2 && m.CSeq().Method == "BYE" }},
		"highest CSeq":          {bye("2 BYE", "2147483647 BYE"), nil},
		"escaped NUL":           {bye("To: ", "To: \"\\\x00\" "), func(m *sip.Message) bool { return m.To().Display == "\x00" }},
		"version case":          {bye("7:5062 SIP", "7:5062 sip"), nil},
		"response":              {[]byte(strings.Replace(string(bye()), "BYE sip:b@192.0.2.7:5062 SIP/2.0", "SIP/2.0 200 Done and done", 1)), func(m *sip.Message) bool { return m.Status == 200 && m.Reason == "Done and done" }},
		"response, no reason":   {[]byte(strings.Replace(string(bye()), "BYE sip:b@192.0.2.7:5062 SIP/2.0", "SIP/2.0 200", 1)), func(m *sip.Message) bool { return m.Status == 200 }},
		"star":                  {bye("Subject: x", "Contact: *"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := mustParse(t, c.raw)
			if c.check != nil && !c.check(m) {
				t.Errorf("read as\n%s", m.Bytes())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("a", 9000)
	for name, c := range map[string]struct {
		raw    []byte
		status int
	}{
		"nothing":                 {nil, 0},
		"line breaks":             {[]byte("\r\n\r\n"), 0},
		"noise":                   {[]byte("\x80\xc8\x00\x06 \r\n\r\n"), 0},
		"HTTP":                    {[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0},
		"start line alone":        {[]byte("BYE sip:b@h SIP/2.0\r\n\r\n"), 0},
		"no empty line":           {bytes.TrimSuffix(bye(), []byte("\r\n")), 400},
		"LF line ends":            {bytes.ReplaceAll(bye(), []byte("\r\n"), []byte("\n")), 0},
		"bare LF":                 {bye("Subject: x", "Subject: x\nX-Evil: 1"), 400},
		"bare CR":                 {bye("Subject: x", "Subject: x\rX-Evil: 1"), 400},
		"CR CR LF":                {bye("Subject: x", "Subject: x\r"), 400},
		"NUL":                     {bye("Subject: x", "Subject: \x00"), 400},
		"NUL behind backslash":    {bye("Subject: x", "Subject: \\\x00"), 400},
		"NUL in quotes":           {bye("Subject: x", "Subject: \"\\\\\x00\""), 400},
		"no colon":                {bye("Subject: x", "Subject"), 400},
		"bad field name":          {bye("Subject: x", "Sub ject: x"), 400},
		"empty field name":        {bye("Subject: x", ": x"), 400},
		"space before first":      {bye("Via", " Via"), 400},
		"long field":              {bye("Subject: x", "Subject: "+long), 400},
		"long folded field":       {bye("Subject: x", "Subject: x"+strings.Repeat("\r\n "+long[:100], 90)), 400},
		"long Request-URI":        {bye("b@192", long+"@192"), 414},
		"many fields":             {bye("Subject: x", strings.Repeat("X: 1\r\n", 200)+"X: 1"), 400},
		"huge":                    {append(bye(), make([]byte, 65536)...), 513},
		"version":                 {bye("7:5062 SIP/2.0", "7:5062 SIP/3.0"), 505},
		"method":                  {bye("BYE sip", "B(E sip"), 400},
		"fields in Request-URI":   {bye("7:5062", "7:5062?Route=x"), 400},
		"two Call-IDs":            {bye("Subject: x", "i: 2@h"), 400},
		"two Froms":               {bye("Subject: x", "f: <sip:x@y>"), 400},
		"two CSeqs":               {bye("Subject: x", "cseq: 2 BYE"), 400},
		"two Max-Forwards":        {bye("Subject: x", "max-forwards: 70"), 400},
		"no Via":                  {bye("Via: ", "X-Via: "), 0},
		"no To":                   {bye("To: ", "X-To: "), 400},
		"empty Call-ID":           {bye("1@h", ""), 400},
		"Call-ID with space":      {bye("1@h", "1 2@h"), 400},
		"CSeq method":             {bye("2 BYE", "2 INVITE"), 400},
		"CSeq case":               {bye("2 BYE", "2 bye"), 400},
		"CSeq number":             {bye("2 BYE", "x BYE"), 400},
		"CSeq too high":           {bye("2 BYE", "2147483648 BYE"), 400},
		"Max-Forwards":            {bye("70", "-1"), 400},
		"second Via":              {bye("branch=z9hG4bK1", "branch=z9hG4bK1, nonsense"), 400},
		"Via line":                {bye("Subject: x", "Via: nonsense"), 400},
		"Contact":                 {bye("Subject: x", "Contact: <sip:x"), 400},
		"short body":              {bye("Length: 0", "Length: 1"), 400},
		"huge Content-Length":     {bye("Length: 0", "Length: 99999999999999999999999"), 400},
		"Content-Lengths differ":  {bye("Subject: x", "l: 1"), 400},
		"Content-Length sign":     {bye("Length: 0", "Length: +0"), 400},
		"Content-Length empty":    {bye("Length: 0", "Length:"), 400},
		"ACK is never answered":   {bye("BYE sip", "ACK sip"), 0},
		"response, version":       {[]byte("SIP/3.0 200 OK\r\nVia: x\r\n\r\n"), 0},
		"response, wrong field":   {[]byte(strings.Replace(string(bye("2 BYE", "x")), "BYE sip:b@192.0.2.7:5062 SIP/2.0", "SIP/2.0 200 OK", 1)), 0},
		"response, status 700":    {[]byte("SIP/2.0 700 OK\r\n\r\n"), 0},
		"response, status digits": {[]byte("SIP/2.0 0200 OK\r\n\r\n"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := sip.Parse(c.raw)
			var refusal *sip.ParseError
			if !errors.As(err, &refusal) {
				t.Fatalf("taken as\n%s", m.Bytes())
			}
			if refusal.Status != c.status || (refusal.Msg != nil) != (c.status != 0) || refusal.Reason == "" || refusal.Error() == "" {
				t.Fatalf("refused with %d %q, message %v, want %d", refusal.Status, refusal.Reason, refusal.Msg, c.status)
			}
			if refusal.Msg == nil {
				return
			}
			answer := sip.NewResponse(refusal.Msg, refusal.Status, refusal.Reason)
			if bytes.Contains(answer.Bytes(), []byte("X-Evil")) || answer.TopVia().Branch() != "z9hG4bK1" {
				t.Errorf("answer\n%s", answer.Bytes())
			}
		})
	}
}

// TestAnswerToBrokenRequestIsWhole sees that one bad line does not cost the good ones.
func TestAnswerToBrokenRequestIsWhole(t *testing.T) {
	for _, bad := range []string{"Subject: \x00", "nonsense", "Subject: x\ny", "Subject:" + strings.Repeat(" ", 20000)} {
		_, err := sip.Parse(bye("Subject: x", bad, "2 BYE", "2 BYE\r\nX: 1", "70", "x"))
		var refusal *sip.ParseError
		if !errors.As(err, &refusal) || refusal.Msg == nil {
			t.Fatalf("%q: %v", bad, err)
		}
		answer := mustParse(t, sip.NewResponse(refusal.Msg, refusal.Status, refusal.Reason).Bytes())
		if got := fmt.Sprint(answer.CallID(), answer.CSeq(), answer.FromTag(), answer.ToTag()); got != "1@h2 BYE12" {
			t.Errorf("%q: answer has %s", bad, got)
		}
	}
}
