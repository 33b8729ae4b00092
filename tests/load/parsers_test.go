package load

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/trace"
	"sidetrack/metadata"
)

// parsers are those of bytes from outside, each with a text of about n octets that has much of one thing: what makes
// reading quadratic where a parser begins anew for each.
var parsers = map[string]struct {
	text func(n int) string
	read func(text string)
}{
	"SIP/header fields":     {message("X-Field: a\r\n"), readMessage},
	"SIP/Via":               {message("Via: SIP/2.0/UDP a.example;branch=z9hG4bKx\r\n"), readMessage},
	"SIP/Route in one line": {line("Route: ", "<sip:a@b.example;lr>,"), readMessage},
	"SIP/parameters":        {line("Contact: <sip:a@b.example>", ";a=b"), readMessage},
	"SIP/folded":            {line("Subject: x", "\r\n a"), readMessage},
	"SIP/quoted":            {line("Contact: \"", `\"`), readMessage},
	"URI/parameters":        {repeated("sip:a@b.example", ";a=b"), func(s string) { _, _ = sip.ParseURI(s) }},
	"URI/headers":           {repeated("sip:a@b.example?x=y", "&a=%20"), func(s string) { _, _ = sip.ParseURI(s) }},
	"name-addr":             {repeated(`"`, `\"`), func(s string) { _, _ = sip.ParseNameAddr(s) }},
	"challenge":             {repeated("Digest realm=\"a\"", ", x=\"y\""), readChallenge},
	"SDP/sections":          {repeated("v=0\r\nc=IN IP4 192.0.2.1\r\n", "m=audio 4000 RTP/AVP 0\r\n"), readSDP},
	"SDP/attributes":        {repeated("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n", "a=rtpmap:96 x/8000\r\n"), readSDP},
	"SDP/formats":           {repeated("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP", " 0"), readSDP},
	"SDP/keys":              {repeated("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 0\r\n", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:eA==\r\n"), readSDP},
	"multipart/parts":       {repeated("", "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n"), readParts},
	"multipart/nothing":     {repeated("--b\r\n\r\n", "\r\n--"), readParts},
	"metadata":              {repeated("<recording xmlns='urn:ietf:params:xml:ns:recording:1'>", "<participant participant_id='a'/>"), func(s string) { _, _ = metadata.Parse([]byte(s)) }},
	"trace":                 {message("X-Field: a\r\n"), func(s string) { trace.CallID([]byte(s)); trace.Clean([]byte(s)) }},
}

func repeated(head, unit string) func(int) string {
	return func(n int) string { return head + strings.Repeat(unit, max(0, n-len(head))/len(unit)) }
}

func message(unit string) func(int) string { return line("Subject: x\r\n", unit) }

// line is a message with that field, grown.
func line(field, unit string) func(int) string {
	const head = "OPTIONS sip:a@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bKa\r\nFrom: <sip:a@b.example>;tag=a\r\n" +
		"To: <sip:b@b.example>\r\nCall-ID: a\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
	return func(n int) string { return repeated(head+field, unit)(n) + "\r\nContent-Length: 0\r\n\r\n" }
}

func readMessage(s string) {
	m, err := sip.Parse([]byte(s))
	if err != nil {
		return
	}
	m.TopVia()
	m.List("Route")
	m.List("Contact")
	sip.NewResponse(m, 200, "").Bytes()
	m.Bytes()
}

func readChallenge(s string) {
	m := sip.NewResponse(sip.NewRequest("INVITE", "sip:a@b.example"), 401, "")
	m.Set("WWW-Authenticate", s)
	digest.Of(m)
}

func readSDP(s string) {
	d, err := sdp.Parse([]byte(s))
	if err != nil {
		return
	}
	at := netip.MustParseAddrPort("198.51.100.1:4000")
	for _, m := range d.Media() {
		sdp.Negotiated(m, m)
		m.Anchor(at, at)
	}
	d.Bytes()
}

func readParts(s string) {
	m := sip.NewRequest("INFO", "sip:a@b.example")
	m.SetBody("multipart/mixed;boundary=b", []byte(s))
	body.Parts(m)
	body.Replace(m, "application/sdp", func(b []byte) []byte { return b })
}

// Eight times the text makes eight times the memory at most, in octets and in pieces: who begins anew for each part, and
// copies what is left, has made much more. Counted, not timed: it holds on any machine. (What is read again and not
// copied is BenchmarkParsers' to show.)
func TestParsersAllocateInProportion(t *testing.T) {
	const short, long, slack = 7 << 10, 56 << 10, 2 // a slice that grows by halves or doubles; with all copied again each time it were 8
	for name, p := range parsers {
		octets, pieces := allocated(p.read, p.text(short))
		more, morePieces := allocated(p.read, p.text(long))
		if more > slack*long/short*octets || morePieces > slack*long/short*pieces {
			t.Errorf("%s: %.0f octets in %.0f pieces for %d octets of text, %.0f in %.0f for %d", name, octets, pieces, short, more, morePieces, long)
		}
	}
}

// allocated is what reading a text takes of the heap.
func allocated(read func(string), text string) (octets, pieces float64) {
	const times = 10
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	read(text) // what is made once is made
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		read(text)
	}
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc-before.TotalAlloc) / times, float64(after.Mallocs-before.Mallocs) / times
}

// BenchmarkParsers shows the cost of an octet, by length: it is to stay the same. It is CPU time, collection of garbage
// included, for a busy machine makes the time of the clock a matter of luck. (Tests beside the parsers hold what matters
// most of it.)
func BenchmarkParsers(b *testing.B) {
	for name, p := range parsers {
		for _, kib := range []int{1, 16, 63} {
			text := p.text(kib << 10)
			b.Run(fmt.Sprintf("%s/%dK", name, kib), func(b *testing.B) {
				began := cpuTime()
				for b.Loop() {
					p.read(text)
				}
				b.ReportMetric(float64(cpuTime()-began)/float64(b.N)/float64(len(text)), "cpu-ns/octet")
			})
		}
	}
}
