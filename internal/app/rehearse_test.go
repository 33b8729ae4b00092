package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
	"sidetrack/internal/pcap"
)

// What differs from one run to the next: identifiers, keys of transactions and
// parts, ports, times, lengths.
var passing = regexp.MustCompile(`(branch=|tag=|boundary=)[\w.-]+|Call-ID: \S+|Date: .*|CSeq: \d+|Content-Length: \d+|o=- \d+|m=audio \d+|[A-Za-z0-9+/]{22}==|\d{4}-\d\d-\d\dT[\d:.]+Z|a=rtcp:\d+`)

// A rehearsal of a call that has been, out of its own capture, gives what was
// sent to the callee and to the SRS.
func TestARehearsalIsTheCall(t *testing.T) {
	s := open(t, "recorder: main", "recorder: main, tracks: callee", "timeout: 1s", `timeout: 1s, group: "{{.To.User}}", headers: {X-From: "{{.From.URI}}"}`)
	left, right := s.call()
	id := s.items("/api/v1/calls")[0]["id"].(string)
	_, capture := s.get("/api/v1/calls/" + id + "/pcap")
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	found, err := app.ReadInvites([]byte(capture))
	if err != nil || len(found) != 3 {
		t.Fatalf("%d INVITEs, %v", len(found), err)
	}
	cfg := parse(t, text(s.names...))
	got, err := app.Rehearse(context.Background(), cfg, found[0], app.RehearseOptions{Listener: cfg.SIP.Listeners[0].URL, Version: "v1"})
	if err != nil || got.Refused != "" || len(got.Recordings) != 1 || got.Recordings[0].Sent == nil {
		t.Fatalf("%v %+v", err, got)
	}
	sent := got.Recordings[0].Sent
	for _, tt := range []struct{ what, was, would string }{
		{"to the callee", sentBy(t, capture, home(1), false), got.Outgoing.Head + "\n" + got.Outgoing.SDP},
		{"to the SRS", sentBy(t, capture, home(1), true), sent.Head + "\n" + sent.SDP + sent.Metadata},
	} {
		was, would := lasting(tt.was), lasting(tt.would)
		if was != would {
			t.Errorf("%s was sent\n%s\nbut rehearsed\n%s", tt.what, was, would)
		}
	}
	if got.Invite.Source != home(4) {
		t.Errorf("sent by %s", got.Invite.Source)
	}
}

// lasting is what of a message is the same each time: our socket has another port,
// and users of our Contact are identifiers.
func lasting(message string) string {
	us := regexp.MustCompile(`(\w+@)?` + regexp.QuoteMeta(home(1)) + `(:\d+)?\b`)
	return us.ReplaceAllString(passing.ReplaceAllString(plain(message), "$1*"), "US")
}

// sentBy is the first INVITE of a capture that host has sent, with metadata or
// without.
func sentBy(t *testing.T, capture string, host string, metadata bool) (message string) {
	t.Helper()
	invite := func(line string) bool { return strings.HasPrefix(line, "INVITE ") }
	err := pcap.Read([]byte(capture), invite, func(m pcap.Message) {
		if message == "" && m.From.Addr().String() == host && strings.Contains(string(m.Data), "</recording>") == metadata {
			message = string(m.Data)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// plain drops line ends, and the borders and heads of parts.
func plain(message string) string {
	var kept []string
	for line := range strings.SplitSeq(strings.ReplaceAll(message, "\r", ""), "\n") {
		if line != "" && !strings.HasPrefix(line, "--") && !strings.HasPrefix(line, "Content-") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

const anInvite = `INVITE sip:+15550100@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK74bf9
Max-Forwards: 70
From: "Alice" <sip:alice@example.com>;tag=9fxced76sl
To: Bob <sip:+15550100@example.com>
Call-ID: 1@example.com
CSeq: 1 INVITE
X-Queue: sales
Contact: <sip:alice@192.0.2.9>
Content-Type: application/sdp

v=0
o=alice 2890844526 2890844526 IN IP4 192.0.2.9
s=-
c=IN IP4 192.0.2.9
t=0 0
m=audio 49172 RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000
`

func rehearse(t *testing.T, yaml, invite string, opt app.RehearseOptions) *app.Rehearsal {
	t.Helper()
	found, err := app.ReadInvites([]byte(invite))
	if err != nil {
		t.Fatal(err)
	}
	cfg := parse(t, text("127.0.0.0/8", "192.0.2.0/24", "recording:\n  - {name: all, recorder: main}", "recording:\n"+yaml,
		`{srs: "sip:SRS", timeout: 1s}`, `{srs: "sip:srs.test, sip:198.51.100.8", headers: {X-Api-Token: hush}}`))
	got, err := app.Rehearse(context.Background(), cfg, found[0], opt)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// What comes out of the environment is not shown of the call either.
func TestRehearsalHidesSecrets(t *testing.T) {
	found, err := app.ReadInvites([]byte(anInvite))
	if err != nil {
		t.Fatal(err)
	}
	yaml := text("127.0.0.0/8", "192.0.2.0/24", `{name: pbx, to: "sip:PBX"}`, `{name: pbx, to: "sip:PBX", headers: {X-Pass: "${SECRET}", X-Tenant: acme}}`)
	cfg, problems := config.Parse("test.yaml", []byte(yaml), config.Options{Env: func(string) (string, bool) { return "hush", true }})
	if cfg == nil {
		t.Fatal(problems)
	}
	got, err := app.Rehearse(context.Background(), cfg, found[0], app.RehearseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if head := got.Outgoing.Head; !strings.Contains(head, "X-Pass: (hidden)") || !strings.Contains(head, "X-Tenant: acme") || strings.Contains(head, "hush") {
		t.Errorf("the call goes out as\n%s", head)
	}
}

// What would become of calls that differ in one thing each.
func TestRehearsals(t *testing.T) {
	const all = "  - {name: all, recorder: main}\n"
	change := func(old, with string) string { return strings.Replace(anInvite, old, with, 1) }
	offerless := anInvite[:strings.Index(anInvite, "Content-Type")] + "\n"
	for _, tt := range []struct {
		name, yaml, invite string
		opt                app.RehearseOptions
		refused, rule      string // "" of rule: none matches
		recordings         string
	}{
		{"recorded", all, anInvite, app.RehearseOptions{}, "", "all", "main sent audio both"},
		{"nobody we trust", all, anInvite, app.RehearseOptions{Source: netip.MustParseAddr("198.51.100.9")}, "403 Forbidden", "all", ""},
		{"unknown extension", all, change("CSeq", "Require: magic\nCSeq"), app.RehearseOptions{}, "420 Bad Extension", "all", ""},
		{"hops", all, change("70", "0"), app.RehearseOptions{}, "483 Too Many Hops", "all", ""},
		{"header", "  - {name: q, match: {header: {X-Queue: sales}}, recorder: main, tracks: caller}\n", anInvite, app.RehearseOptions{}, "", "q", "main sent audio caller"},
		{"no rule", "  - {name: q, match: {header: {X-Queue: support}}, recorder: main}\n", anInvite, app.RehearseOptions{}, "", "", ""},
		{"time", "  - {name: day, match: {time: {days: mon-fri, zone: UTC}}, recorder: main}\n", anInvite,
			app.RehearseOptions{At: time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)}, "", "", ""},
		{"required", "  - {name: must, recorder: main, required: true}\n", anInvite, app.RehearseOptions{}, "", "must", "main sent audio both"},
		{"manual", "  - {name: hand, recorder: main, start: manual}\n", anInvite, app.RehearseOptions{}, "", "hand", "main begins when somebody asks for it (meant)"},
		{"delayed offer", all, offerless, app.RehearseOptions{}, "", "all", "main sent audio both"},
		{"encrypted", all, change("RTP/AVP 0", "RTP/SAVP 0"), app.RehearseOptions{}, "", "all", "main the call's audio is encrypted (SRTP): not recordable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := rehearse(t, tt.yaml, tt.invite, tt.opt)
			rule := ""
			for _, r := range got.Rules {
				if r.State == "matched" {
					rule = r.Name
				}
			}
			var made []string
			for _, r := range got.Recordings {
				word := r.Recorder + " "
				switch {
				case r.Sent == nil && r.Meant:
					word += r.Reason + " (meant)"
				case r.Sent == nil:
					word += r.Reason
				case strings.Count(r.Sent.SDP, "m=audio") == 2 && strings.Count(r.Sent.Metadata, "<label>") == 2:
					word += "sent audio both"
				case strings.Count(r.Sent.SDP, "m=audio") == 1 && strings.Contains(r.Sent.Metadata, "<label>1<"):
					word += "sent audio caller"
				}
				made = append(made, word)
				if r.Sent != nil && (!strings.Contains(r.Sent.Head, "X-Api-Token: (hidden)") || strings.Contains(r.Sent.Head, "hush")) {
					t.Errorf("a secret is shown:\n%s", r.Sent.Head)
				}
			}
			if got.Refused != tt.refused || rule != tt.rule || strings.Join(made, ", ") != tt.recordings {
				t.Errorf("refused %q, rule %q, recordings %q", got.Refused, rule, made)
			}
		})
	}
}

// A program that decides is named, but asked only if that is wanted.
func TestRehearsalAsksOnlyIfTold(t *testing.T) {
	asked := 0
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"record": false}`)
	}))
	t.Cleanup(program.Close)
	rule := "  - {name: ask, recorder: main, decide: {url: \"" + program.URL + "/\", timeout: 5s, on_error: record}}\n"
	got := rehearse(t, rule, anInvite, app.RehearseOptions{})
	if r := got.Recordings[0]; asked != 0 || r.Sent == nil || !strings.HasPrefix(r.Decide, program.URL) {
		t.Errorf("asked %d times: %+v", asked, r)
	}
	got = rehearse(t, rule, anInvite, app.RehearseOptions{Ask: true})
	if r := got.Recordings[0]; asked != 1 || r.Sent != nil || !r.Meant || r.Reason != "the program that decides is against it" {
		t.Errorf("asked %d times: %+v", asked, r)
	}
}

// Files that are none: each is told what is wrong with it.
func TestReadInvites(t *testing.T) {
	for _, tt := range []struct{ name, text, says string }{
		{"nothing", "", "no INVITE that begins a call"},
		{"a BYE", "BYE sip:a@b SIP/2.0\r\n\r\n", "no INVITE that begins a call"},
		{"a re-INVITE", strings.Replace(anInvite, "example.com>\nCall", "example.com>;tag=1\nCall", 1), "no INVITE that begins a call"},
		{"no From", strings.Replace(anInvite, "From:", "Form:", 1), "the INVITE of line 1 cannot be read"},
		{"a broken capture", "\xd4\xc3\xb2\xa1\x00", "breaks off"},
	} {
		if _, err := app.ReadInvites([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	log := "Nov 21 here it comes\n" + strings.Replace(anInvite, "AVP 0", "AVP 0 8", 1) + "Nov 21 and this is the answer\nSIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.9\nFrom: <sip:a@b>;tag=1\n" +
		"To: <sip:a@b>;tag=2\nCall-ID: 1@example.com\nCSeq: 1 INVITE\nContent-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.3\nt=0 0\nm=audio 4000 RTP/AVP 8\n" +
		"ACK sip:a@b SIP/2.0\n\n" + strings.Replace(anInvite, "1@example.com", "2@example.com", 1)
	found, err := app.ReadInvites([]byte(log))
	if err != nil || len(found) != 2 || found[0].Where != "line 2" || found[1].CallID != "2@example.com" {
		t.Fatalf("%+v %v", found, err)
	}
	// The answer of the log counts: the callee has chosen A-law.
	cfg := parse(t, text("127.0.0.0/8", "192.0.2.0/24"))
	got, err := app.Rehearse(context.Background(), cfg, found[0], app.RehearseOptions{})
	if err != nil || len(got.Recordings) != 1 || got.Recordings[0].Sent == nil || !strings.Contains(got.Recordings[0].Sent.SDP, " RTP/AVP 8\n") {
		t.Errorf("%v %+v", err, got)
	}
}

// Every torture message that can be read as an INVITE can be tried.
func TestTortureCanBeRehearsed(t *testing.T) {
	files, err := filepath.Glob("../sip/testdata/torture/*/*.dat")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	cfg, tried := parse(t, text("127.0.0.0/8", "0.0.0.0/0")), 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := app.ReadInvites(data)
		if err != nil {
			continue
		}
		tried++
		if _, err := app.Rehearse(context.Background(), cfg, found[0], app.RehearseOptions{Source: netip.MustParseAddr("192.0.2.9")}); err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
	if tried < 10 {
		t.Errorf("only %d of %d were INVITEs", tried, len(files))
	}
}

// Whatever a file holds, reading it ends without a panic, and what is found can
// be tried.
func FuzzReadInvites(f *testing.F) {
	f.Add([]byte(anInvite))
	f.Add([]byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00"))
	f.Add([]byte("SIP/2.0 200 OK\r\n\r\n"))
	cfg, problems := config.Parse("test.yaml", []byte(text("127.0.0.0/8", "0.0.0.0/0")), config.Options{})
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := app.ReadInvites(data)
		if err != nil {
			return
		}
		if _, err := app.Rehearse(context.Background(), cfg, found[0], app.RehearseOptions{Source: netip.MustParseAddr("192.0.2.9")}); err != nil {
			t.Log(err)
		}
	})
}
