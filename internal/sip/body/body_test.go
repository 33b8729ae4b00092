package body_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
)

const sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"

// message makes a message of a Content-Type and a body.
func message(contentType, content string) *sip.Message {
	m := sip.NewRequest("INVITE", "sip:a@h")
	m.SetBody(contentType, []byte(content))
	return m
}

// siprec is a body as a Session Recording Client sends it, with odd but legal details.
const siprec = "preamble, ignored\r\n" +
	"--foo bar \t\r\n" +
	"content-TYPE :  Application/SDP ; charset=utf-8\r\n" +
	"X-Folded: a\r\n\tb\r\n" +
	"\r\n" +
	sdp + "\r\n" +
	"--foo bar\r\n" +
	"Content-Type: application/rs-metadata+xml\r\n" +
	"Content-Disposition: Recording-Session;handling=required\r\n" +
	"\r\n" +
	"<?xml version='1.0'?>\x00\n--foo barred\n" +
	"\r\n" +
	"--foo bar--\r\n" +
	"epilogue"

const siprecType = `Multipart/Mixed ; charset=x; boundary = "foo bar"`

func TestParts(t *testing.T) {
	for name, c := range map[string]struct {
		contentType, content string
		want                 []string // type, disposition, body
	}{
		"none":        {"application/sdp", "", nil},
		"plain":       {"Application/SDP;x=y", sdp, []string{"application/sdp||" + sdp}},
		"no type":     {"", "x", []string{"||x"}},
		"siprec":      {siprecType, siprec, []string{"application/sdp||" + sdp, "application/rs-metadata+xml|recording-session|<?xml version='1.0'?>\x00\n--foo barred\n"}},
		"LF only":     {"multipart/mixed;boundary=b", "--b\nContent-Type: a/b\n\n1\n2\n--b\nContent-Type: c/d\n\n3\n--b--\n", []string{"a/b||1\n2", "c/d||3"}},
		"no end":      {"multipart/mixed;boundary=b", "--b\r\nContent-Type: a/b\r\n\r\n1\r\n--b\r\nContent-Type: c/d\r\n\r\n2\r\n", []string{"a/b||1", "c/d||2\r\n"}},
		"end at once": {"multipart/mixed;boundary=b", "--b\r\nContent-Type: a/b\r\n\r\n1\r\n--b--", []string{"a/b||1"}},
		"no fields":   {"multipart/mixed;boundary=b", "--b\r\n\r\n1\r\n--b--\r\n", []string{"text/plain||1"}},
		"no empty line": {"multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\nv=0\r\n--b--\r\n",
			[]string{"application/sdp||v=0"}},
		"empty part":       {"multipart/mixed;boundary=b", "--b\r\nContent-Type: a/b\r\n\r\n--b\r\n\r\n2\r\n--b--", []string{"a/b||", "text/plain||2"}},
		"no boundary":      {"multipart/mixed", "--b\r\n\r\n1\r\n--b--", []string{"multipart/mixed||--b\r\n\r\n1\r\n--b--"}},
		"foreign boundary": {"multipart/mixed;boundary=c", "--b\r\n\r\n1\r\n--b--", []string{"multipart/mixed||--b\r\n\r\n1\r\n--b--"}},
		"nested": {"multipart/mixed;boundary=a", "--a\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nc: x/1\r\n\r\n1\r\n--b\r\nc: x/2\r\n\r\n2\r\n--b--\r\n--a\r\nc: x/3\r\n\r\n3\r\n--a--",
			[]string{"x/1||1", "x/2||2", "x/3||3"}},
		"longer boundary within": {"multipart/mixed;boundary=a", "--a\r\n\r\n--ab\r\n-- a\r\n --a\r\n--a--\r\n", []string{"text/plain||--ab\r\n-- a\r\n --a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range body.Parts(message(c.contentType, c.content)) {
				got = append(got, p.ContentType+"|"+p.Disposition+"|"+string(p.Body))
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestPartFields(t *testing.T) {
	p, ok := body.Find(message(siprecType, siprec), "application/sdp")
	if !ok || fmt.Sprint(p.Headers) != "[{content-TYPE Application/SDP ; charset=utf-8} {X-Folded a b}]" {
		t.Errorf("%v %+v", ok, p.Headers)
	}
	m := message("application/sdp", sdp)
	m.Add("Content-Disposition", "Session ; handling=optional")
	if p, ok := body.Find(m, "Application/Sdp"); !ok || p.Disposition != "session" || p.Headers != nil {
		t.Errorf("%v %+v", ok, p)
	}
	if _, ok := body.Find(m, "application/isup"); ok {
		t.Error("found a part that is not there")
	}
	if _, ok := body.Find(sip.NewRequest("BYE", "sip:a@h"), ""); ok {
		t.Error("found a part without a body")
	}
}

func TestReplaceKeepsAllOtherBytes(t *testing.T) {
	const fresh = "v=0\r\na much longer description\r\n"
	m := message(siprecType, siprec)
	before := m.Bytes()
	out := replaced(m, "application/sdp", func(old []byte) []byte {
		if string(old) != sdp {
			t.Errorf("given %q", old)
		}
		return []byte(fresh)
	})
	if got, want := string(out.Body), strings.Replace(siprec, sdp, fresh, 1); got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if !strings.Contains(string(out.Bytes()), fmt.Sprintf("Content-Length: %d\r\n", len(siprec)-len(sdp)+len(fresh))) {
		t.Error("Content-Length is not that of the new body")
	}
	if !bytes.Equal(m.Bytes(), before) {
		t.Error("the message itself was changed")
	}
	out.Set("Subject", "x")
	if m.Has("Subject") {
		t.Error("the copy shares its fields")
	}
}

func TestReplaceCorrectsLengthsOfParts(t *testing.T) {
	const layout = "--a\r\nContent-Type: multipart/related;boundary=b\r\nContent-Length: %d\r\n\r\n" +
		"--b\r\nl :\t%d\r\nContent-Type: application/sdp\r\n\r\n%s\r\n" +
		"--b\r\nContent-Length: 1\r\n\r\n1\r\n--b--\r\n--a--\r\n"
	fill := func(sdp string) string { return fmt.Sprintf(layout, 95+len(sdp), len(sdp), sdp) }
	out := replaced(message("multipart/mixed;boundary=a", fill("v=0")), "application/sdp",
		func([]byte) []byte { return []byte("v=0\r\ns=-") })
	if got, want := string(out.Body), fill("v=0\r\ns=-"); got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

func TestReplaceWithoutSuchAPart(t *testing.T) {
	never := func([]byte) []byte { t.Error("called"); return nil }
	for _, m := range []*sip.Message{
		sip.NewRequest("BYE", "sip:a@h"),
		message("text/plain", "x"),
		message("multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n--b--"),
	} {
		out := replaced(m, "application/sdp", never)
		if out == m || !bytes.Equal(out.Bytes(), m.Bytes()) {
			t.Errorf("changed to\n%q", out.Bytes())
		}
	}
	plain := replaced(message("application/sdp", sdp), "application/sdp", func([]byte) []byte { return []byte("v=0") })
	if string(plain.Body) != "v=0" {
		t.Errorf("plain body %q", plain.Body)
	}
}

func TestMixed(t *testing.T) {
	contentType, content := body.Mixed(
		body.Part{ContentType: "application/sdp", Body: []byte(sdp)},
		body.Part{
			Headers:     []sip.Header{{Name: "Content-Disposition", Value: "recording-session"}, {Name: "X-Note", Value: "a\r\n\r\nb"}},
			ContentType: "application/rs-metadata+xml;charset=UTF-8", Disposition: "unused", Body: []byte("<x/>"),
		},
	)
	boundary, ok := strings.CutPrefix(contentType, "multipart/mixed;boundary=")
	if !ok || strings.ContainsAny(boundary, "\" ;") {
		t.Fatalf("type %q", contentType)
	}
	want := "--" + boundary + "\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--" + boundary +
		"\r\nContent-Type: application/rs-metadata+xml;charset=UTF-8\r\nContent-Disposition: recording-session\r\nX-Note: a    b\r\n\r\n<x/>\r\n--" +
		boundary + "--\r\n"
	if string(content) != want {
		t.Errorf("got\n%q, want\n%q", content, want)
	}
	parts := body.Parts(message(contentType, string(content)))
	if len(parts) != 2 || string(parts[0].Body) != sdp || parts[1].Disposition != "recording-session" {
		t.Errorf("read back as %+v", parts)
	}
}

// TestBinaryPartsSurvive uses the message of RFC 4475 §3.1.1.11 with its signature of arbitrary octets.
func TestBinaryPartsSurvive(t *testing.T) {
	raw, err := os.ReadFile("../testdata/torture/rfc4475/mpart01.dat")
	if err != nil {
		t.Fatal(err)
	}
	m, err := sip.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	parts := body.Parts(m)
	if len(parts) != 2 || string(parts[0].Body) != "Hello" || parts[1].ContentType != "application/octet-stream" || bytes.IndexByte(parts[1].Body, 0) < 0 {
		t.Fatalf("%+v", parts)
	}
	out := replaced(m, "text/plain", func([]byte) []byte { return []byte("Hello, World") })
	if want := bytes.Replace(m.Body, []byte("Hello"), []byte("Hello, World"), 1); !bytes.Equal(out.Body, want) {
		t.Errorf("got %q", out.Body)
	}
}

// Each part of the type is edited, and each length that counts them.
func TestReplaceEditsAllParts(t *testing.T) {
	inner := "--c\r\nContent-Type: application/sdp\r\nContent-Length: 3\r\n\r\nv=0\r\n--c\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--c--"
	text := "--b\r\nContent-Type: multipart/mixed;boundary=c\r\nContent-Length: 99\r\n\r\n" + inner + "\r\n--b\r\nContent-Type: application/sdp\r\nContent-Length: 0\r\n\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=2\r\n--b--"
	out := replaced(message("multipart/mixed;boundary=b", text), "application/sdp", func(old []byte) []byte { return append(old, " and more"...) })
	want := strings.NewReplacer("v=0", "v=0 and more", "v=1", "v=1 and more", "v=2", "v=2 and more", "Length: 3", "Length: 12", "Length: 99", "Length: 117").Replace(text)
	if string(out.Body) != want {
		t.Errorf("got\n%q, want\n%q", out.Body, want)
	}
}

// What is not taken apart is told.
func TestWhole(t *testing.T) {
	parts := func(n int) string { return strings.Repeat("--b\r\n\r\nx\r\n", n) + "--b--" }
	deep := func(n int) string {
		return strings.Repeat("--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n", n) + parts(1)
	}
	for _, tc := range []struct {
		contentType, text string
		whole             bool
	}{
		{"application/sdp", "v=0", true}, {"multipart/mixed;boundary=b", "", true}, {"multipart/mixed;boundary=b", parts(64), true},
		{"multipart/mixed;boundary=b", parts(65), false}, {"multipart/mixed", parts(1), false}, {"multipart/mixed;boundary=c", parts(1), false},
		{"multipart/mixed;boundary=b", deep(5), false},
	} {
		if got := body.Whole(message(tc.contentType, tc.text)); got != tc.whole {
			t.Errorf("%s %q: %v", tc.contentType, tc.text, got)
		}
	}
}

func TestAbsurdMultiparts(t *testing.T) {
	if n := len(body.Parts(message("multipart/mixed;boundary=b", strings.Repeat("--b\r\n\r\n", 8000)))); n > 64 {
		t.Errorf("%d parts", n)
	}
	nested := strings.Repeat("--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n", 1000)
	if n := len(body.Parts(message("multipart/mixed;boundary=b", nested))); n > 64 {
		t.Errorf("%d parts", n)
	}
}

func FuzzBody(f *testing.F) {
	f.Add(siprecType, []byte(siprec))
	f.Add("multipart/mixed;boundary=b", []byte("--b\nContent-Type: multipart/x;boundary=c\n\n--c\nc:application/sdp\nl:5\n\nv=0\n\n--c--\n--b--"))
	f.Add("application/sdp", []byte(sdp))
	f.Fuzz(func(t *testing.T, contentType string, content []byte) {
		m := message(contentType, string(content))
		for _, p := range body.Parts(m) {
			if !bytes.Contains(m.Body, p.Body) {
				t.Fatalf("part %q is not in the body", p.Body)
			}
		}
		const kind = "application/sdp"
		same := replaced(m, kind, func(b []byte) []byte { return b })
		if !bytes.Equal(same.Body, m.Body) {
			t.Fatalf("%q became %q", m.Body, same.Body)
		}
		called := false
		out := replaced(m, kind, func(b []byte) []byte { called = true; return []byte("v=0") })
		if !called && !bytes.Equal(out.Body, m.Body) {
			t.Fatalf("%q became %q", m.Body, out.Body)
		}
		for _, p := range body.Parts(out) {
			if p.ContentType == kind && len(p.Body) > 0 && string(p.Body) != "v=0" && body.Whole(m) {
				t.Fatalf("a part of %q still reads as %q", out.Body, p.Body)
			}
		}
	})
}

func BenchmarkReplace(b *testing.B) {
	m := message(siprecType, siprec)
	b.ReportAllocs()
	for b.Loop() {
		body.Replace(m, "application/sdp", func(old []byte) []byte { return old })
	}
}

func BenchmarkMixed(b *testing.B) {
	parts := []body.Part{{ContentType: "application/sdp", Body: []byte(sdp)}, {ContentType: "application/rs-metadata+xml", Body: make([]byte, 2500)}}
	b.ReportAllocs()
	for b.Loop() {
		body.Mixed(parts...)
	}
}

// Fields of a part may go on in further lines, which count as one blank each; lines of blanks add nothing.
func TestFoldedFieldsOfAPart(t *testing.T) {
	m := sip.NewRequest("INFO", "sip:x@y")
	m.SetBody("multipart/mixed;boundary=b", []byte("--b\r\nX-A: one \r\n\t two\r\n   \r\n three\r\nX-B:\r\n four\r\nX-C: five\r\n  \r\n\r\nx\r\n--b--\r\n"))
	got := body.Parts(m)[0].Headers
	want := []sip.Header{{Name: "X-A", Value: "one two three"}, {Name: "X-B", Value: "four"}, {Name: "X-C", Value: "five"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// replaced gives an edited copy.
func replaced(m *sip.Message, contentType string, f func([]byte) []byte) *sip.Message {
	out := m.Clone()
	body.Replace(out, contentType, f)
	return out
}
