package trace

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	us     = netip.MustParseAddrPort("192.0.2.10:5060")
	phone  = netip.MustParseAddrPort("192.0.2.1:5060")
	pbx    = netip.MustParseAddrPort("192.0.2.20:5060")
	srs    = netip.MustParseAddrPort("198.51.100.7:5060")
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	golden = `          caller                      sidetrack                   callee                      srs main
          192.0.2.1:5060                                          192.0.2.20:5060             198.51.100.7:5060
    0.000 |-- INVITE SDP ------------>|                           |                           |
    0.001 |                           |-- INVITE SDP ------------>|                           |
    0.002 |                           |<- 180 Ringing (INVITE) ---|                           |
    0.003 |<- 180 Ringing (INVITE) ---|                           |                           |
`
)

// tracer is a Tracer whose clock goes on by a millisecond with each message.
func tracer(max int64) *Tracer {
	t := New(max)
	var mu sync.Mutex
	now := noon
	t.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Millisecond)
		return now
	}
	return t
}

func message(first, callID, cseq string, more ...string) []byte {
	return []byte(first + "\r\nVia: SIP/2.0/UDP x\r\nCall-ID: " + callID + "\r\nCSeq: " + cseq + "\r\n" + strings.Join(more, "\r\n") + "\r\n\r\n")
}

func TestScan(t *testing.T) {
	for _, tt := range []struct {
		raw, id string
		kind    kind
	}{
		{string(message("INVITE sip:x SIP/2.0", "a@b", "1 INVITE")), "a@b", invite},
		{string(message("SIP/2.0 200 OK", "a@b", "1 INVITE")), "a@b", accepted},
		{string(message("SIP/2.0 200 OK", "a@b", "1 BYE")), "a@b", other},
		{string(message("SIP/2.0 486 Busy", "a@b", "1 INVITE")), "a@b", refused},
		{string(message("SIP/2.0 180 Ringing", "a@b", "1 INVITE")), "a@b", other},
		{string(message("BYE sip:x SIP/2.0", "a@b", "2 BYE")), "a@b", bye},
		{"\r\nINVITE sip:x SIP/2.0\ni:short\nCSeq:1 INVITE\n\nCall-ID: body", "short", invite},
		{"INVITE sip:x SIP/2.0\r\ncall-id :\tx \r\n", "x", invite},
		{"INVITE", "", other}, {"", "", other}, {"SIP/2.0 ", "", other}, {"\n\n\n", "", other},
	} {
		if id, k := scan([]byte(tt.raw)); string(id) != tt.id || k != tt.kind {
			t.Errorf("%q: %q %d, want %q %d", tt.raw, id, k, tt.id, tt.kind)
		}
	}
}

func TestLadderOfACall(t *testing.T) {
	tr := tracer(1 << 20)
	sdp := "Content-Type: application/sdp"
	tr.Observe("udp", us, phone, true, message("OPTIONS sip:x SIP/2.0", "other", "1 OPTIONS"))
	tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", "c1", "1 INVITE", sdp))
	tr.Observe("udp", us, pbx, false, message("INVITE sip:x SIP/2.0", "c1", "1 INVITE", sdp))
	tr.Observe("udp", us, pbx, true, message("SIP/2.0 180 Ringing", "c1", "1 INVITE"))
	tr.Observe("udp", us, phone, false, message("SIP/2.0 180 Ringing", "c1", "1 INVITE"))
	tr.Observe("tcp", us, srs, false, message("INVITE sip:srs SIP/2.0", "r1", "1 INVITE", "Content-Type: multipart/mixed;boundary=x"))
	l := tr.Ladder(false, "r1", "c1", "none", "c1")
	l.Name(map[string]string{"r1": "srs main"})
	if len(l.Messages) != 5 {
		t.Fatalf("%d messages", len(l.Messages))
	}
	var out strings.Builder
	if err := l.Draw(&out); err != nil {
		t.Fatal(err)
	}
	want := golden + "    0.004 |                           |-- INVITE SDP+metadata ------------------------------->|\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if e := l.Messages[4]; e.From() != us || e.To() != srs || e.Party != "srs main" || e.Proto != "tcp" {
		t.Errorf("%+v", e)
	}
}

// A ladder without anything, or with a single peer, is drawn too; what peers have sent reaches no terminal as control.
func TestOddLadders(t *testing.T) {
	tr := tracer(1 << 20)
	var out strings.Builder
	empty := tr.Ladder(false, "none")
	if err := empty.Draw(&out); err != nil || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%q %v", out.String(), err)
	}
	tr.Observe("udp", us, srs, false, message("INVITE\x1b[31m sip:srs SIP/2.0", "r1", "1 INVITE"))
	tr.Observe("udp", us, srs, false, message("INVITE sip:srs SIP/2.0", "r1", "1 INVITE"))
	tr.Observe("udp", us, srs, true, message("SIP/2.0 200 \x1b[2J\u009b31m"+strings.Repeat("long ", 50), "r1", "1 INVITE"))
	l := tr.Ladder(false, "r1")
	l.Name(map[string]string{"r1": "srs\x1b main"})
	out.Reset()
	if err := l.Draw(&out); err != nil || strings.ContainsAny(out.String(), "\x1b\u009b") {
		t.Errorf("%q %v", out.String(), err)
	}
}

// One dialog, and all together, are bounded; the ended go first, and after a while in any case.
func TestBounds(t *testing.T) {
	tr := tracer(1 << 40)
	tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", "long", "1 INVITE"))
	for i := range 1000 {
		tr.Observe("udp", us, phone, true, message("INFO sip:x SIP/2.0", "long", fmt.Sprintf("%d INFO", i+2)))
	}
	l := tr.Ladder(false, "long")
	n := len(l.Messages)
	if n > maxMessages || n < maxMessages-maxMessages/4 || l.LeftOut != 1001-n || l.Messages[0].Summary() != "INVITE" ||
		!bytes.Contains(l.Messages[n-1].Data, []byte("1001 INFO")) {
		t.Errorf("%d messages, %d left out", len(l.Messages), l.LeftOut)
	}

	tr = tracer(shards * 100_000)
	pad := "Subject: " + strings.Repeat("x", 1000)
	tr.Observe("udp", us, pbx, false, message("INVITE sip:x SIP/2.0", "live", "1 INVITE", pad))
	for i := range 5000 {
		id := fmt.Sprint("call-", i)
		tr.Observe("udp", us, pbx, false, message("INVITE sip:x SIP/2.0", id, "1 INVITE", pad))
		tr.Observe("udp", us, phone, false, message("SIP/2.0 486 Busy Here", id, "1 INVITE", pad))
	}
	var bytes int64
	for i := range tr.shards {
		s := &tr.shards[i]
		if s.bytes > 100_000 || s.live.Len()+s.ended.Len() != len(s.dialogs) {
			t.Errorf("%d bytes, %d + %d of %d dialogs", s.bytes, s.live.Len(), s.ended.Len(), len(s.dialogs))
		}
		bytes += s.bytes
	}
	if bytes < 1_000_000 {
		t.Errorf("only %d bytes are kept", bytes)
	}
	if len(tr.Ladder(false, "live").Messages) != 1 || len(tr.Ladder(false, "call-4999").Messages) != 2 || len(tr.Ladder(false, "call-0").Messages) != 0 {
		t.Error("the wrong ones were forgotten")
	}
	tr.now = func() time.Time { return noon.Add(time.Hour) }
	for i := range 1000 { // each shard is asked
		tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", fmt.Sprint("late-", i), "1 INVITE"))
	}
	if len(tr.Ladder(false, "call-4999").Messages) != 0 || len(tr.Ladder(false, "live").Messages) != 1 {
		t.Error("what ended long ago is still there")
	}
}

// What nobody has taken, of scanners and strangers, has a small part of the memory, and displaces no call.
func TestAFloodDisplacesNoCall(t *testing.T) {
	const max = shards * 100_000
	tr := tracer(max)
	for _, id := range []string{"live", "ended"} {
		tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", id, "1 INVITE"))
		tr.Observe("udp", us, phone, false, message("SIP/2.0 401 Unauthorized", id, "1 INVITE")) // it is taken only then
		tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", id, "2 INVITE"))
		tr.Observe("udp", us, pbx, false, message("INVITE sip:x SIP/2.0", id, "2 INVITE"))
	}
	tr.Observe("udp", us, phone, true, message("BYE sip:x SIP/2.0", "ended", "3 BYE"))
	for i := range 20_000 {
		id := fmt.Sprint("flood-", i)
		tr.Observe("udp", us, phone, true, message("INVITE sip:x SIP/2.0", id, "1 INVITE"))
		if i%2 == 0 {
			tr.Observe("udp", us, phone, false, message("SIP/2.0 403 Forbidden", id, "1 INVITE"))
		}
	}
	var bytes int64
	for i := range tr.shards {
		bytes += tr.shards[i].bytes
	}
	if live, ended := len(tr.Ladder(false, "live").Messages), len(tr.Ladder(false, "ended").Messages); live != 4 || ended != 5 {
		t.Errorf("%d of 4 and %d of 5 messages of calls are left", live, ended)
	}
	if bytes > max/vainShare+4000 {
		t.Errorf("%d bytes are kept", bytes)
	}
	if len(tr.Ladder(false, "flood-19998").Messages) != 2 {
		t.Error("the newest refusal is not there")
	}
}

// A call that is refused within its life, or challenged at first, is not over.
func TestWhatEndsADialog(t *testing.T) {
	for _, tt := range []struct {
		said []string
		over bool
	}{
		{[]string{"INVITE", "SIP/2.0 401 x"}, true}, {[]string{"INVITE", "SIP/2.0 401 x", "INVITE"}, false},
		{[]string{"INVITE", "SIP/2.0 200 OK", "INVITE", "SIP/2.0 488 x"}, false}, {[]string{"INVITE", "SIP/2.0 200 OK", "BYE"}, true},
		{[]string{"INVITE", "SIP/2.0 183 x"}, false},
	} {
		tr := tracer(1 << 20)
		for _, first := range tt.said {
			if !strings.HasPrefix(first, "SIP") {
				first += " sip:x SIP/2.0"
			}
			tr.Observe("udp", us, phone, true, message(first, "a", "1 INVITE"))
		}
		for i := range tr.shards {
			if d := tr.shards[i].dialogs["a"]; d != nil && d.over != tt.over {
				t.Errorf("%v: over %v", tt.said, d.over)
			}
		}
	}
}

func TestBlacken(t *testing.T) {
	const raw = "INVITE sip:+15551234@pbx.example;user=phone SIP/2.0\r\n" +
		"From: \"Alice Smith\" <sip:alice:pw@a.example>;tag=1\r\nTo: Bob <tel:+15559876>\r\n" +
		"Proxy-Authorization: Digest username=\"u\", response=\"0123456789abcdef\", nonce=\"n\"\r\n\r\n" +
		"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\nk=clear:abc\r\n" +
		"<nameID aor=\"sip:alice@a.example\"><name xml:lang=\"en\">Alice Smith</name></nameID>"
	plain, black := string(blacken([]byte(raw), false)), string(blacken([]byte(raw), true))
	if folded := string(blacken([]byte("A x\r\nAuthorization: Digest a=b,\r\n response=\"0123456789abcdef\"\r\n"), false)); strings.Contains(folded, "abcdef") {
		t.Errorf("a folded answer is readable: %s", folded)
	}
	for _, secret := range []string{"WVNfX19z", "0123456789abcdef", "clear:abc", "2^20", "pw@"} {
		if strings.Contains(plain, secret) {
			t.Errorf("%s is readable:\n%s", secret, plain)
		}
	}
	if !strings.Contains(plain, "Alice Smith") || !strings.Contains(plain, "+15551234") || !strings.Contains(plain, `nonce="n"`) {
		t.Errorf("too much is black:\n%s", plain)
	}
	for _, person := range []string{"Alice", "Smith", "Bob", "alice", "5551234", "5559876", "pw@"} {
		if strings.Contains(black, person) {
			t.Errorf("%s is readable:\n%s", person, black)
		}
	}
	if len(plain) != len(raw) || len(black) != len(raw) || !strings.Contains(black, "@pbx.example;user=phone") || !strings.Contains(black, "tag=1") {
		t.Errorf("lengths or the rest changed:\n%s", black)
	}
}

// Numbers stand in more places than URIs.
func TestBlackenNumbersEverywhere(t *testing.T) {
	for name, raw := range map[string]string{
		"digest":      "INVITE x\r\nAuthorization: Digest realm=\"r\",\r\n username=\"5551234\", nonce=\"n\"\r\n\r\n",
		"digest, utf": "INVITE x\r\nProxy-Authorization: Digest realm=\"r\", username*=UTF-8''5551234, nonce=\"n\"\r\n\r\n",
		"origin":      "INVITE x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\no=5551234 1 1 IN IP4 192.0.2.1\r\ns=-\r\n",
		"dialled":     "INFO x\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal= 5551234\r\nDuration=160\r\n",
		"bare":        "INFO x\r\nc: application/dtmf\r\nContent-Length: 7\r\n\r\n5551234",
	} {
		if plain, black := string(blacken([]byte(raw), false)), string(blacken([]byte(raw), true)); plain != raw || len(black) != len(raw) ||
			strings.Contains(black, "5551234") || strings.Count(black, "x") > 1+strings.Count(raw, "x")+len("UTF-8''5551234") {
			t.Errorf("%s: %q", name, black)
		}
	}
	const kept = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nDuration=160\r\nContent-Type: application/dtmf-relay\r\n\r\nx"
	if got := string(blacken([]byte(kept), true)); got != kept {
		t.Errorf("%q", got)
	}
}

// Clean looks at the beginnings of lines alone, and finds whatever blacken does.
func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"INVITE x\r\nAuthorization: Digest username=\"u\",\r\n\tresponse=\"0123456789abcdef\"\r\n\r\n", "ACK x\ny: eyJhbGciOi;info=<u>\n",
		"v=0\nk=clear:abc", "a=CRYPTO:1 AES inline:secret", "\r\nproxy-authorization : basic dTpw\r\n", "a=key-mgmt:mikey AQ", "identity:x", "Y\n:0", "To: <SIPS:a:secret@h>", "x@ sip:0:@ sip::@ ip:a:b@",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if got, want := Clean(raw), blacken(raw, false); !bytes.Equal(got, want) {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	})
}

func BenchmarkClean(b *testing.B) {
	raw := message("INVITE sip:x SIP/2.0", "a", "1 INVITE", "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS", "Accept: application/sdp", "Subject: "+strings.Repeat("x", 700))
	b.ReportAllocs()
	for b.Loop() {
		Clean(raw)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(message("INVITE sip:x SIP/2.0", "a", "1 INVITE"), message("SIP/2.0 200 OK", "a", "1 INVITE"))
	f.Add([]byte("\r\n\r\n"), []byte("BYE x\ni:a\n"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		tr := New(1 << 16)
		for _, raw := range [][]byte{message("INVITE sip:x SIP/2.0", "a", "1 INVITE"), a, b} {
			tr.Observe("udp", us, phone, true, raw)
		}
		loose := tr.Ladder(true, "a")
		tr.pack(time.Now().Add(time.Minute))
		l := tr.Ladder(true, "a")
		same(t, l, loose)
		l.Name(nil)
		var out strings.Builder
		if err := l.Draw(&out); err != nil {
			t.Error(err)
		}
		for _, r := range out.String() {
			if r < ' ' && r != '\n' {
				t.Errorf("%q", out.String())
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	tr := New(64 << 20)
	raw := message("INVITE sip:x SIP/2.0", "a", "1 INVITE", "Subject: "+strings.Repeat("x", 700))
	b.ReportAllocs()
	for i := range b.N {
		copy(raw[bytes.Index(raw, []byte("Call-ID: "))+9:], fmt.Appendf(nil, "%x", i%10))
		tr.Observe("udp", us, phone, true, raw)
	}
}
