package sip_test

import (
	"strings"
	"testing"

	"sidetrack/internal/sip"
)

func TestNewResponse(t *testing.T) {
	req := mustParse(t, wire(
		"INVITE sip:b@example.com SIP/2.0",
		"v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2",
		"Record-Route: <sip:p2.example.com;lr>",
		"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1, SIP/2.0/TCP 192.0.2.3",
		"Record-Route: <sip:p1.example.com;lr>, <sip:p0.example.com>",
		"f:  Alice <sip:a@example.com> ; tag=1",
		"t: sip:b@example.com",
		"i: 1@h",
		"CSeq: 7   INVITE",
		"Timestamp: 54",
		"Contact: <sip:a@192.0.2.1>",
		"", ""))
	for name, c := range map[string]struct {
		status                      int
		reason, recordRoute, phrase string
		timestamp                   bool
	}{
		"trying":  {status: 100, phrase: "Trying", timestamp: true},
		"ringing": {status: 180, phrase: "Ringing", recordRoute: "<sip:p2.example.com;lr>|<sip:p1.example.com;lr>, <sip:p0.example.com>"},
		"ok":      {status: 200, reason: "Fine", phrase: "Fine", recordRoute: "<sip:p2.example.com;lr>|<sip:p1.example.com;lr>, <sip:p0.example.com>"},
		"refusal": {status: 486, phrase: "Busy Here"},
		"unknown": {status: 499, phrase: "Bad Request"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := sip.NewResponse(req, c.status, c.reason)
			want(t, "start", resp.Reason, c.phrase)
			want(t, "Via", strings.Join(resp.All("Via"), "|"), strings.Join(req.All("Via"), "|"))
			want(t, "From", resp.Get("From"), "Alice <sip:a@example.com> ; tag=1")
			want(t, "To", resp.Get("To"), "sip:b@example.com")
			want(t, "Call-ID", resp.CallID(), "1@h")
			want(t, "CSeq", resp.Get("CSeq"), "7   INVITE")
			want(t, "Record-Route", strings.Join(resp.All("Record-Route"), "|"), c.recordRoute)
			want(t, "Timestamp", resp.Has("Timestamp"), c.timestamp)
			want(t, "Contact", resp.Has("Contact"), false)
			mustParse(t, resp.Bytes())
		})
	}
	if sip.NewResponse(&sip.Message{Method: "BYE", Headers: req.Headers}, 200, "").Has("Record-Route") {
		t.Error("Record-Route in the response to a BYE")
	}
}

func TestReasonPhrase(t *testing.T) {
	for status, phrase := range map[int]string{
		100: "Trying", 200: "OK", 299: "OK", 487: "Request Terminated", 607: "Unwanted", 699: "Busy Everywhere", 999: "",
	} {
		if got := sip.ReasonPhrase(status); got != phrase {
			t.Errorf("%d: %q", status, got)
		}
	}
}

func TestIdentifiersAreFreshTokens(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		tag, branch := sip.NewTag(), sip.NewBranch()
		if len(tag) < 13 || !strings.HasPrefix(branch, "z9hG4bK") || seen[tag] || seen[branch] {
			t.Fatalf("tag %q, branch %q", tag, branch)
		}
		seen[tag], seen[branch] = true, true
	}
}
