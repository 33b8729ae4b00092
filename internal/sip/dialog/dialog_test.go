package dialog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
)

// invite is the INVITE of RFC 3261 §12 as its UAS sees it, with a Record-Route or more.
func invite(t *testing.T, recordRoutes ...string) *sip.Message {
	t.Helper()
	return parse(t, append([]string{
		"INVITE sip:bob@biloxi.example.com SIP/2.0",
		"Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9",
		"Max-Forwards: 70",
		"From: Alice <sip:alice@atlanta.example.com> ; tag=9fxced76sl",
		`To: "Bob;tag=no" <sip:bob@biloxi.example.com>`,
		"Call-ID: 3848276298220188511@atlanta.example.com",
		"CSeq: 2 INVITE",
		"Contact: <sip:alice@client.atlanta.example.com;transport=tcp>",
	}, recordRoutes...))
}

// answer is a response to it.
func answer(t *testing.T, status int, tag, contact string, recordRoutes ...string) *sip.Message {
	t.Helper()
	req := invite(t)
	resp := sip.NewResponse(req, status, "")
	resp.Set("To", sip.WithTag(resp.Get("To"), tag))
	for _, r := range recordRoutes {
		resp.Add("Record-Route", r)
	}
	if contact != "" {
		resp.Add("Contact", contact)
	}
	return resp
}

func parse(t *testing.T, lines []string) *sip.Message {
	t.Helper()
	m, err := sip.Parse([]byte(strings.Join(append(lines, "", ""), "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNewUAS(t *testing.T) {
	d := dialog.NewUAS(invite(t, "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>", "Record-Route: <sip:p0.example.com;lr>"), "314159")
	req := d.Request("BYE")
	cseq := req.CSeq()
	if cseq.Num == 0 || cseq.Num != d.LocalCSeq || cseq.Method != "BYE" {
		t.Errorf("CSeq %v, LocalCSeq %d", cseq, d.LocalCSeq)
	}
	expect(t, req, fmt.Sprintf(`BYE sip:alice@client.atlanta.example.com;transport=tcp SIP/2.0
Route: <sip:p2.example.com;lr>
Route: <sip:p1.example.com;lr>
Route: <sip:p0.example.com;lr>
Max-Forwards: 70
From: "Bob;tag=no" <sip:bob@biloxi.example.com>;tag=314159
To: Alice <sip:alice@atlanta.example.com> ; tag=9fxced76sl
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: %d BYE`, cseq.Num))
	if d.NextHop() != "sip:p2.example.com;lr" || d.LocalTag != "314159" || d.RemoteTag != "9fxced76sl" || d.Secure || d.Confirmed {
		t.Errorf("%+v, next hop %s", d, d.NextHop())
	}
	if next := d.Request("OPTIONS").CSeq().Num; next != cseq.Num+1 {
		t.Errorf("CSeq %d after %d", next, cseq.Num)
	}
	if early := d.RequestCSeq("ACK", 77); early.CSeq().Num != 77 || d.LocalCSeq != cseq.Num+1 {
		t.Errorf("RequestCSeq: %v, LocalCSeq %d", early.CSeq(), d.LocalCSeq)
	}
}

func TestNewUAC(t *testing.T) {
	d := dialog.NewUAC(invite(t), answer(t, 200, "314159", "<sip:bob@192.0.2.4>;q=1",
		"<sip:p2.example.com;lr>, <sip:p1.example.com;lr>", "<sip:p0.example.com;lr>"))
	expect(t, d.Request("BYE"), `BYE sip:bob@192.0.2.4 SIP/2.0
Route: <sip:p0.example.com;lr>
Route: <sip:p1.example.com;lr>
Route: <sip:p2.example.com;lr>
Max-Forwards: 70
From: Alice <sip:alice@atlanta.example.com> ; tag=9fxced76sl
To: "Bob;tag=no" <sip:bob@biloxi.example.com>;tag=314159
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: 3 BYE`)
	if !d.Confirmed || d.NextHop() != "sip:p0.example.com;lr" {
		t.Errorf("%+v, next hop %s", d, d.NextHop())
	}
	expect(t, d.RequestCSeq("ACK", 2), `ACK sip:bob@192.0.2.4 SIP/2.0
Route: <sip:p0.example.com;lr>
Route: <sip:p1.example.com;lr>
Route: <sip:p2.example.com;lr>
Max-Forwards: 70
From: Alice <sip:alice@atlanta.example.com> ; tag=9fxced76sl
To: "Bob;tag=no" <sip:bob@biloxi.example.com>;tag=314159
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: 2 ACK`)
}

// TestRouting has the examples of RFC 3261 §12.2.1.1 and §16.12.1.2.
func TestRouting(t *testing.T) {
	for name, c := range map[string]struct {
		routes             []string
		target             string
		uri, nextHop, sent string
	}{
		"no route": {nil, "sip:user@remoteua", "sip:user@remoteua", "sip:user@remoteua", ""},
		"strict first": {
			[]string{"<sip:proxy1>", "<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>"}, "sip:user@remoteua",
			"sip:proxy1", "sip:proxy1", "<sip:proxy2> <sip:proxy3;lr> <sip:proxy4> <sip:user@remoteua>",
		},
		"strict alone": {[]string{`"P" <sip:proxy1;x=1>;foo`}, "sip:u@h;lr", "sip:proxy1;x=1", "sip:proxy1;x=1", "<sip:u@h;lr>"},
		"strict in the middle": {
			[]string{"<sip:p4.domain.com;lr>", "<sip:p3.middle.com>", "<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"},
			"sip:caller@u1.example.com", "sip:caller@u1.example.com", "sip:p4.domain.com;lr",
			"<sip:p4.domain.com;lr> <sip:p3.middle.com> <sip:p2.example.com;lr> <sip:p1.example.com;lr>",
		},
		"lr with a value":         {[]string{"<sip:p1;LR=on>"}, "sip:u@h", "sip:u@h", "sip:p1;LR=on", "<sip:p1;LR=on>"},
		"lr outside brackets":     {[]string{"<sip:p1>;lr"}, "sip:u@h", "sip:u@h", "sip:p1", "<sip:p1>;lr"},
		"strict with fields":      {[]string{"<sip:p1;method=INVITE;x?a=b>"}, "sip:u@h", "sip:p1;x", "sip:p1;x", "<sip:u@h>"},
		"target with fields":      {nil, "sip:u@h?Route=x", "sip:u@h", "sip:u@h?Route=x", ""},
		"unreadable first route":  {[]string{"<sip:p1"}, "sip:u@h", "sip:u@h", "<sip:p1", "<sip:p1"},
		"route of another scheme": {[]string{"<tel:1>"}, "sip:u@h", "tel:1", "tel:1", "<sip:u@h>"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &dialog.Dialog{RemoteTarget: c.target, Routes: c.routes, LocalCSeq: 1}
			req := d.Request("INFO")
			if got := strings.Join(req.All("Route"), " "); req.RequestURI != c.uri || got != c.sent || d.NextHop() != c.nextHop {
				t.Errorf("Request-URI %s, Route %s, next hop %s", req.RequestURI, got, d.NextHop())
			}
			if again := d.Request("INFO"); again.RequestURI != c.uri || !slices.Equal(again.All("Route"), req.All("Route")) {
				t.Error("the second request is routed in another way")
			}
		})
	}
}

func TestEarlyDialogs(t *testing.T) {
	req := invite(t)
	first := dialog.NewUAC(req, answer(t, 180, "one", "<sip:b1@192.0.2.1>", "<sip:p1;lr>"))
	second := dialog.NewUAC(req, answer(t, 183, "two", "<sip:b2@192.0.2.2>"))
	if first.Confirmed || first.RemoteTag != "one" || second.RemoteTag != "two" || second.RemoteTarget != "sip:b2@192.0.2.2" || len(second.Routes) != 0 {
		t.Errorf("%+v\n%+v", first, second)
	}
	first.Request("PRACK")
	if second.LocalCSeq != 2 {
		t.Error("the dialogs share their numbers")
	}
	// RFC 3261 §13.2.2.4: the 2xx decides on the route set, once.
	first.Confirm(answer(t, 200, "one", "<sip:b3@192.0.2.3>", "<sip:p2;lr>, <sip:p1;lr>"))
	if !first.Confirmed || !slices.Equal(first.Routes, []string{"<sip:p1;lr>", "<sip:p2;lr>"}) || first.RemoteTarget != "sip:b3@192.0.2.3" || first.LocalCSeq != 3 {
		t.Errorf("confirmed as %+v", first)
	}
	first.Confirm(answer(t, 200, "one", "<sip:b4@192.0.2.4>", "<sip:p9;lr>"))
	if first.Routes[0] != "<sip:p1;lr>" || first.RemoteTarget != "sip:b4@192.0.2.4" {
		t.Errorf("after the 2xx of a re-INVITE %+v", first)
	}
	silent := dialog.NewUAC(req, answer(t, 180, "three", ""))
	if silent.RemoteTarget != "sip:bob@biloxi.example.com" {
		t.Errorf("target without a Contact: %s", silent.RemoteTarget)
	}
}

func TestRefresh(t *testing.T) {
	d := dialog.NewUAS(invite(t, "Record-Route: <sip:p1;lr>"), "1")
	for _, c := range []struct{ contact, want string }{
		{"<sip:new@192.0.2.9:5070>;x", "sip:new@192.0.2.9:5070"},
		{"", "sip:new@192.0.2.9:5070"},
		{"*", "sip:new@192.0.2.9:5070"},
		{"<sip:bad host>", "sip:new@192.0.2.9:5070"},
		{"<sip:[bad>", "sip:new@192.0.2.9:5070"},
		{"sip:bare@h;expires=1", "sip:bare@h"},
	} {
		m := sip.NewRequest("UPDATE", "sip:us@h")
		if c.contact != "" {
			m.Add("Contact", c.contact)
		}
		m.Add("Record-Route", "<sip:other;lr>")
		if d.Refresh(m); d.RemoteTarget != c.want {
			t.Errorf("Contact %q: target %q", c.contact, d.RemoteTarget)
		}
	}
	if !slices.Equal(d.Routes, []string{"<sip:p1;lr>"}) {
		t.Errorf("route set changed to %v", d.Routes)
	}
}

func TestAcceptCSeq(t *testing.T) {
	uas := dialog.NewUAS(invite(t), "1")
	for _, c := range []struct {
		n  uint32
		ok bool
	}{{1, false}, {2, false}, {3, true}, {3, false}, {90, true}, {4, false}, {91, true}} {
		if uas.AcceptCSeq(c.n) != c.ok {
			t.Errorf("UAS: %d is not %v", c.n, c.ok)
		}
	}
	uac := dialog.NewUAC(invite(t), answer(t, 200, "1", ""))
	if !uac.AcceptCSeq(0) || uac.AcceptCSeq(0) || !uac.AcceptCSeq(1) {
		t.Error("UAC: the first number of the peer may be any, then they rise")
	}
}

func TestSecure(t *testing.T) {
	req := parse(t, []string{
		"INVITE sips:bob@biloxi.example.com SIP/2.0",
		"Via: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1",
		"From: <sips:a@h>;tag=1",
		"To: <sips:bob@biloxi.example.com>",
		"Call-ID: 1", "CSeq: 1 INVITE",
	})
	d := dialog.NewUAS(req, "2")
	if !d.Secure || d.RemoteTarget != "sips:a@h" {
		t.Errorf("%+v", d)
	}
}

// expect compares the wire form, Content-Length left out.
func expect(t *testing.T, m *sip.Message, want string) {
	t.Helper()
	got, _, _ := strings.Cut(string(m.Bytes()), "\r\nContent-Length")
	if want = strings.ReplaceAll(want, "\n", "\r\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func BenchmarkRequest(b *testing.B) {
	d := &dialog.Dialog{CallID: "1@h", Local: "<sip:a@h>;tag=1", Remote: "<sip:b@h>;tag=2", RemoteTarget: "sip:b@192.0.2.1:5060",
		Routes: []string{"<sip:p1;lr>", "<sip:p2;lr>"}, LocalCSeq: 1}
	b.ReportAllocs()
	for b.Loop() {
		d.Request("BYE")
	}
}
