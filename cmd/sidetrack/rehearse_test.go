package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tryYAML = `
sip: {listen: ["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"], trusted: [192.0.2.0/24]}
routes:
  - {name: out, match: {source: [192.0.2.20]}, to: "sip:carrier.test"}
  - {name: in, match: {source: [192.0.2.0/28]}, to: "sip:192.0.2.20"}
media: {listen: 127.0.0.1, ports: 27200-27299}
recorders: {main: {srs: "sip:srs.test"}}
recording:
  - {name: sales, match: {header: {X-Queue: sales}, listener: "udp://127.0.0.1:5060"}, recorder: main}
  - {name: night, match: {time: {hours: "18:00-08:00", zone: UTC}}, recorder: main}
http: {listen: ""}
`

const tryInvite = `INVITE sip:bob@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1
Max-Forwards: 70
From: <sip:alice@example.com>;tag=1
To: <sip:bob@example.com>
Call-ID: one
CSeq: 1 INVITE
X-Queue: sales
Contact: <sip:alice@192.0.2.9>
Content-Type: application/sdp

v=0
o=- 1 1 IN IP4 192.0.2.9
s=-
c=IN IP4 192.0.2.9
t=0 0
m=audio 4000 RTP/AVP 0
`

func TestCheckInvite(t *testing.T) {
	config, dir := file(t, tryYAML), t.TempDir()
	invite := filepath.Join(dir, "invite.txt")
	two := filepath.Join(dir, "two.txt")
	for name, text := range map[string]string{
		invite: tryInvite, two: tryInvite + "\n" + strings.NewReplacer("Call-ID: one", "Call-ID: two", "sales", "\x1b[31msupport").Replace(tryInvite),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args     string
		status   int
		out, err string // what they hold, with | between; "" of err: empty
	}{
		{"--invite " + invite, 0, "source: wants 192.0.2.20/32, sees 192.0.2.9|1  sales  matched|-> both sides to main|2  night  not asked|tries sip:srs.test|    Require: siprec|    a=label:2|<recording xmlns", ""},
		{"--invite " + invite + " --listener tcp://127.0.0.1:5060 --at 2026-03-02T12:00:00Z", 0,
			"listener: wants udp://127.0.0.1:5060, sees tcp://127.0.0.1:5060|time: wants 18:00-08:00 UTC, sees Mon 2026-03-02T12:00:00Z|Not recorded: no rule wants it", ""},
		{"--invite " + invite + " --from 192.0.2.20", 0, "INVITE sip:bob@carrier.test SIP/2.0 (udp, by udp://127.0.0.1:5060)|1  out  matched", ""},
		{"--invite " + invite + " --from 192.0.2.200", 1, "No call: the caller gets 404 No Route", ""},
		{"--invite " + invite + " --from 198.51.100.1", 1, "No call: the caller gets 403 Forbidden", ""},
		{"--invite " + two + " --call two --at 2026-03-02T22:00:00Z", 0, "header.X-Queue: wants sales, sees ?[31msupport|2  night  matched", ""},
		{"--invite " + two, 0, "1  sales  matched", "holds 2 INVITEs; this is the first, of Call-ID one (--call chooses)"},
		{"--invite " + two + " --call three", 1, "", "no INVITE with the Call-ID three"},
		{"--invite " + config, 1, "", "no INVITE that begins a call in it"},
		{"--invite " + dir + "/none", 1, "", "no such file"},
		{"--invite " + os.DevNull, 1, "", "empty"},
		{"--invite " + invite + " --from nowhere", 1, "", "--from nowhere: write an IP address"},
		{"--invite " + invite + " --at noon", 1, "", "--at noon: write a time such as"},
		{"--invite " + invite + " --listener udp://127.0.0.1:1", 1, "", "udp://127.0.0.1:1 is not in sip.listen"},
		{"--at 2026-03-02T22:00:00Z", 1, "", "--at goes with --invite FILE"},
	} {
		status, out, err := try(append([]string{"check", "--config", config}, strings.Fields(tt.args)...)...)
		for want := range strings.SplitSeq(tt.out, "|") {
			if !strings.Contains(out, want) {
				t.Errorf("check %s: no %q in\n%s", tt.args, want, out)
			}
		}
		if status != tt.status || (tt.err == "") != (err == "") || !strings.Contains(err, tt.err) {
			t.Errorf("check %s: %d\n%s", tt.args, status, err)
		}
	}
	status, out, _ := try("check", "--config", config, "--invite", invite, "--json")
	var v struct {
		Route string
		Rules []struct {
			Name, State string
			Missed      []struct{ Key, Wants, Sees string }
		}
		Recordings []struct {
			Recorder string
			Sent     struct{ Proto, Head, SDP, Metadata string }
		}
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || status != 0 || v.Route != "in" || v.Rules[0].State != "matched" ||
		len(v.Recordings) != 1 || v.Recordings[0].Sent.SDP == "" || v.Recordings[0].Sent.Metadata == "" {
		t.Errorf("%d %v %s", status, err, out)
	}
}
