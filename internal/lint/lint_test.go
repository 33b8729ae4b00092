package lint_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/lint"
	"sidetrack/metadata"
)

const crlf = "\r\n"

var when = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// good is an INVITE that a strict recorder takes.
func good(t testing.TB) string {
	t.Helper()
	flow := metadata.Flow{Sends: true}
	s := metadata.Snapshot{ID: "1", Caller: metadata.Party{AOR: "sip:alice@a.test"}, Callee: metadata.Party{AOR: "sip:bob@b.test"},
		Streams: []metadata.MediaStream{{Kind: "audio", Caller: flow, Callee: flow}}, State: metadata.CallAnswered}
	doc, err := metadata.NewBuilder(metadata.BuilderConfig{}).Complete(s, []metadata.LabeledStream{
		{Label: "1", Party: metadata.Caller, Active: true}, {Label: "2", Party: metadata.Callee, Active: true}}, when).XML()
	if err != nil {
		t.Fatal(err)
	}
	sdp := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	for i := range 2 {
		sdp += fmt.Sprintf("m=audio %d RTP/AVP 0\r\na=sendonly\r\na=label:%d\r\n", 20000+2*i, i+1)
	}
	body := "--b\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--b\r\nContent-Type: application/rs-metadata+xml\r\n" +
		"Content-Disposition: recording-session\r\n\r\n" + string(doc) + "\r\n--b--\r\n"
	return "INVITE sip:srs@198.51.100.7 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:src@192.0.2.1>;tag=1\r\n" +
		"To: <sip:srs@198.51.100.7>\r\nCall-ID: 1@192.0.2.1\r\nCSeq: 1 INVITE\r\nContact: <sip:192.0.2.1>;+sip.src\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\n" +
		"Require: siprec\r\nAllow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nAccept: application/sdp, application/rs-metadata+xml\r\n" +
		fmt.Sprintf("Content-Type: multipart/mixed;boundary=b\r\nContent-Length: %d\r\n\r\n", len(body)) + body
}

// judge gives the findings of the one item in data as RULE@LINE.
func judge(t testing.TB, data string) []string {
	t.Helper()
	items, err := lint.Read([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != 1 {
		t.Fatalf("%d items", len(items))
	}
	var all []string
	for _, f := range items[0].Judge() {
		all = append(all, fmt.Sprintf("%s@%d", f.Rule, f.Line))
		if f.Text == "" || f.Where == "" {
			t.Errorf("%+v says nothing", f)
		}
	}
	return all
}

// Nothing is wrong with a message that is right, also as an editor saves it; and each mistake is found where it stands.
func TestJudge(t *testing.T) {
	right := good(t)
	for _, text := range []string{right, strings.ReplaceAll(right, crlf, "\n")} {
		if got := judge(t, text); len(got) > 0 {
			t.Errorf("a right message: %v", got)
		}
	}
	for _, c := range []struct {
		old, new string
		want     []string
	}{
		{"Require: siprec\r\n", "", []string{"SRC-03@0"}},
		{"Require: siprec", "Require: timer", []string{"SRC-03@10"}},
		{"Allow: INVITE, ACK, BYE, CANCEL, UPDATE", "Allow: INVITE", []string{"SRC-23@11"}},
		{";+sip.src", "", []string{"SRC-02@8"}},
		{">;+sip.src", ";+sip.src>", []string{"SRC-02@8"}},
		{";+sip.src", ";src", []string{"SRC-02@8"}},
		{"Require: siprec", "Require: siprec\r\nSupported: siprec", []string{"SRC-10@11"}},
		{"Date: Thu, 01 Jan 2026 12:00:00 GMT\r\n", "", []string{"XML-11@0"}},
		{"From: <sip:src@192.0.2.1>", "From: <sip:srs@198.51.100.7>", []string{"SRC-05@4"}},
		{"Accept: application/sdp, application/rs-metadata+xml", "Accept: application/sdp", []string{"SRC-11@12"}},
		{"Content-Type: application/rs-metadata+xml", "Content-Type: application/rs-metadata", []string{"MD-09@32"}},
		{"Content-Disposition: recording-session\r\n", "", []string{"MD-09@32"}},
		{"multipart/mixed", "multipart/alternative", []string{"MD-07@13"}},
		{"a=label:2\r\n", "", []string{"SDP-03@27", "SDP-03@0"}},
		{"a=label:2", "a=label:7", []string{"SDP-03@0", "SDP-03@0"}},
		{"a=sendonly\r\na=label:1", "a=sendrecv\r\na=label:1", []string{"SDP-02@24"}},
		{"a=label:1", "a=label:1\r\na=candidate:1 1 udp 1 10.0.0.1 1 typ host", []string{"SDP-30@24"}},
		{"a=label:1", "a=label:1\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", []string{"SEC-07@24"}},
		{"o=- 1 1 IN", "o=- one 1 IN", []string{"SDP-19@20"}},
		{"c=IN IP4 192.0.2.1\r\nt=0 0", "t=0 0\r\nc=IN IP4 192.0.2.1", []string{"SDP-19@23"}},
		{"<datamode>", "<dataMode>", []string{"XML-03@36"}},
		{"recording:1\"", "recording\"", []string{"XML-01@0"}},
		{"aor=\"sip:bob@b.test\"", "aor=\"no address\"", []string{"XML-20@0"}},
	} {
		t.Run(strings.TrimSpace(c.old+" -> "+c.new), func(t *testing.T) {
			if !strings.Contains(right, c.old) {
				t.Fatalf("no %q in the message", c.old)
			}
			text := strings.ReplaceAll(strings.Replace(right, c.old, c.new, 1), crlf, "\n") // so that its length need not be right
			if c.old == "<datamode>" {
				text = strings.Replace(text, "</datamode>", "</dataMode>", 1)
			}
			got := judge(t, text)
			if len(got) == 0 {
				t.Fatal("nothing is found")
			}
			for _, want := range c.want {
				rule, line, _ := strings.Cut(want, "@")
				if !slices.ContainsFunc(got, func(g string) bool {
					r, l, _ := strings.Cut(g, "@")
					return r == rule && (line == "0" || l == line)
				}) {
					t.Errorf("found %v, want %s", got, want)
				}
			}
		})
	}
}

// A document alone is judged too; a message without SDP may hold no labels; SDP alone is half a message.
func TestJudgeParts(t *testing.T) {
	right := good(t)
	_, xml, _ := strings.Cut(right, "recording-session\r\n\r\n")
	xml, _, _ = strings.Cut(xml, "\r\n--b--")
	if got := judge(t, xml); len(got) > 0 {
		t.Errorf("the document: %v", got)
	}
	head, _, _ := strings.Cut(right, "Content-Type: multipart")
	update := strings.ReplaceAll(head, "INVITE sip", "UPDATE sip")
	update = strings.ReplaceAll(update, "1 INVITE", "1 UPDATE") + "Content-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n" + xml
	if got := judge(t, strings.ReplaceAll(update, crlf, "\n")); len(got) != 2 || !strings.HasPrefix(got[0], "SDP-04") {
		t.Errorf("an UPDATE with labels and no SDP: %v", got)
	}
	for _, body := range []string{"Content-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 9 RTP/AVP 0\na=label:1\na=sendonly\n", "\n"} {
		got := judge(t, strings.ReplaceAll(head, crlf, "\n")+body)
		if !slices.ContainsFunc(got, func(g string) bool { return strings.HasPrefix(g, "MD-02") }) {
			t.Errorf("an INVITE without metadata: %v", got)
		}
	}
	for _, nothing := range []string{"", "hello", "SIP/2.0 200 OK\r\n\r\n", "\xd4\xc3\xb2\xa1"} {
		if items, err := lint.Read([]byte(nothing)); err == nil {
			t.Errorf("%q is read as %+v", nothing, items)
		}
	}
}

// What the product sends, in the profiles that keep to the RFCs, is right by its own judge; and the others are not.
func TestProfilesAreJudged(t *testing.T) {
	for profile, right := range map[string]bool{"rfc": true, "cisco": true, "google": true, "amazon": true, "oracle": false, "broadworks": false} {
		text, err := os.ReadFile("../../tests/scenario/testdata/profiles/" + profile + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		// The golden files name ids by letters and leave the length out.
		plain := strings.NewReplacer("Content-Length: N\n", "", "ID-A", id(1), "ID-B", id(2), "ID-C", id(3), "ID-D", id(4), "ID-E", id(5)).Replace(string(text))
		if got := judge(t, plain); (len(got) == 0) != right {
			t.Errorf("%s: %v", profile, got)
		}
	}
}

func id(n byte) string { return string(metadata.UUID{6: 0x40, 8: 0x80, 15: n}.ID()) }

// A capture: over UDP in fragments, over TCP in segments out of order and repeated, with packets of others between; pcap
// in both byte orders, and pcapng.
func TestCaptures(t *testing.T) {
	msg := good(t)
	tcp := func(seq int, flags byte, b string) []byte {
		h := make([]byte, 20)
		binary.BigEndian.PutUint16(h, 5070)
		binary.BigEndian.PutUint16(h[2:], 5060)
		binary.BigEndian.PutUint32(h[4:], uint32(seq))
		h[12], h[13] = 5<<4, flags
		return ipv4(6, 0, 0, append(h, b...))
	}
	udp := append([]byte{0x13, 0xce, 0x13, 0xc4, 0, 0, 0, 0}, strings.Replace(msg, "SIP/2.0/TCP", "SIP/2.0/UDP", 1)...)
	cut := 1480
	packets := [][]byte{
		ipv4(17, 0, 0, append([]byte{0, 53, 0, 53, 0, 0, 0, 0}, "what is this"...)),
		ipv4(17, 7, 0x2000, udp[:cut]),
		tcp(99, 2, ""),
		tcp(100, 16, msg[:700]),
		tcp(1500, 16, msg[1400:]),
		tcp(100, 16, msg[:700]),
		tcp(800, 16, msg[700:1400]),
		ipv4(17, 7, uint16(cut/8), udp[cut:]),
	}
	for name, file := range map[string][]byte{
		"little": pcap(binary.LittleEndian, packets), "big": pcap(binary.BigEndian, packets), "ng": pcapng(packets),
	} {
		t.Run(name, func(t *testing.T) {
			items, err := lint.Read(file)
			if err != nil || len(items) != 2 {
				t.Fatalf("%d items, %v", len(items), err)
			}
			for i := range items {
				rules := []string{}
				for _, f := range items[i].Judge() {
					rules = append(rules, f.Rule)
				}
				want := []string{}
				if strings.Contains(items[i].Name, "packet 8") {
					want = []string{"MD-19"}
				}
				if !slices.Equal(rules, want) {
					t.Errorf("%s: %v", items[i].Name, rules)
				}
			}
		})
	}
}

// In a capture that a proxy has written datagrams hold what went over TCP or TLS: its Via says so.
func TestCaptureOfAProxy(t *testing.T) {
	msg := good(t)
	for _, by := range []string{"TCP", "TLS"} {
		packet := ipv4(17, 0, 0, append(make([]byte, 8), strings.Replace(msg, "SIP/2.0/TCP", "SIP/2.0/"+by, 1)...))
		items, err := lint.Read(pcap(binary.LittleEndian, [][]byte{packet}))
		if err != nil || len(items) != 1 {
			t.Fatalf("%d items, %v", len(items), err)
		}
		if found := items[0].Judge(); len(found) > 0 {
			t.Errorf("%s: %+v", by, found)
		}
	}
}

func ipv4(proto byte, id, fragment uint16, payload []byte) []byte {
	h := make([]byte, 34)
	h[12], h[13] = 8, 0
	ip := h[14:]
	ip[0], ip[9] = 0x45, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(ip[4:], id)
	binary.BigEndian.PutUint16(ip[6:], fragment)
	copy(ip[12:], []byte{192, 0, 2, 1, 198, 51, 100, 7})
	return append(h, payload...)
}

func pcap(order binary.ByteOrder, packets [][]byte) []byte {
	var b bytes.Buffer
	put := func(v ...any) {
		for _, x := range v {
			_ = binary.Write(&b, order, x)
		}
	}
	put(uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(65535), uint32(1))
	for _, p := range packets {
		put(uint32(1), uint32(0), uint32(len(p)), uint32(len(p)), p)
	}
	return b.Bytes()
}

func pcapng(packets [][]byte) []byte {
	var b bytes.Buffer
	block := func(kind uint32, body []byte) {
		for len(body)%4 > 0 {
			body = append(body, 0)
		}
		n := uint32(12 + len(body))
		_ = binary.Write(&b, binary.LittleEndian, []uint32{kind, n})
		b.Write(body)
		_ = binary.Write(&b, binary.LittleEndian, n)
	}
	block(0x0a0d0d0a, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})
	block(1, []byte{1, 0, 0, 0, 0, 0, 4, 0})
	for _, p := range packets {
		head := make([]byte, 20)
		binary.LittleEndian.PutUint32(head[12:], uint32(len(p)))
		binary.LittleEndian.PutUint32(head[16:], uint32(len(p)))
		block(6, append(head, p...))
	}
	return b.Bytes()
}

// Whatever a file holds, reading and judging it ends, without a panic.
func FuzzRead(f *testing.F) {
	msg := good(f)
	f.Add([]byte(msg))
	f.Add([]byte(strings.ReplaceAll(msg, crlf, "\n")))
	f.Add(pcap(binary.LittleEndian, [][]byte{ipv4(17, 0, 0, append(make([]byte, 8), msg...))}))
	f.Add(pcapng([][]byte{ipv4(6, 0, 0, append(make([]byte, 20), msg...))}))
	f.Add([]byte("<recording/>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := lint.Read(data)
		if err != nil {
			return
		}
		for i := range items {
			for _, finding := range items[i].Judge() {
				if finding.Rule == "" || finding.Line < 0 {
					t.Errorf("%+v", finding)
				}
			}
		}
	})
}
