package b2bua_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/b2bua"
	"sidetrack/tests/peer"
)

// Ports run out: the call is refused before it begins, in mid-call the offer is, and running calls go on.
func TestPortsExhausted(t *testing.T) {
	s := newStage(t, setup{ports: 8})
	c, d := s.establish(), s.establish()
	if got := s.send().out.ExpectFinal(); got.Status() != 503 || got.Get("Retry-After") == "" {
		t.Errorf("the third caller got %q", got.Raw)
	}
	two := peer.BuildSDP(2, peer.Line{Media: c.a}, peer.Line{Media: c.b})
	c.left.Send("INVITE", peer.WithSDP(two)).Expect(503)
	// An answer with more m-lines than were offered opens none, and none passes us by.
	out := d.left.Send("INVITE", peer.WithSDP(d.sdpA(2)))
	d.right.Expect("INVITE").Reply(200, peer.WithSDP(two))
	ok := out.Expect(200)
	if media := peer.ParseSDP(ok.SDP()).Media; len(media) != 2 || media[1].Port != 0 {
		t.Errorf("the second m-line passed: %s", ok.SDP())
	}
	d.left.Ack(ok)
	d.right.Expect("ACK")
	c.hangUp()
	d.hangUp()
	s.quiet()
}

// The callee offers more than there are ports for: the call is not put through with media that pass us by.
func TestPortsExhaustedByTheAnswer(t *testing.T) {
	s := newStage(t, setup{ports: 8})
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob})
	c.in = s.pbx.Expect("INVITE")
	l := peer.Line{Media: c.b}
	c.in.Reply(200, peer.WithSDP(peer.BuildSDP(1, l, l, l)))
	c.out.Expect(503)
	right := c.in.Dialog()
	right.Expect("ACK")
	right.AnswerBye()
	s.quiet()
}

func TestMaxCallsAndDrain(t *testing.T) {
	s := newStage(t, setup{maxCalls: 1})
	c := s.establish()
	if got := s.send().out.ExpectFinal(); got.Status() != 503 || got.Get("Retry-After") == "" {
		t.Errorf("one too many got %q", got.Raw)
	}
	c.hangUp()
	if !peer.Eventually(func() bool { return s.server.Active() == 0 }) {
		t.Fatal("the call stays")
	}
	c = s.establish()
	s.server.Drain()
	s.send().out.Expect(503)
	s.caller.Start("OPTIONS", s.proxy, peer.Call{URI: "sip:" + s.proxy.String()}).Expect(503)
	s.server.HangUp("shutting down")
	c.left.AnswerBye()
	c.right.AnswerBye()
	s.quiet()
}

// A call that has ended makes room at once, not when the far side has answered its BYE.
func TestMaxCallsCountsRunningCalls(t *testing.T) {
	s := newStage(t, setup{maxCalls: 1})
	c := s.establish()
	c.left.Bye()
	bye := c.right.Expect("BYE")
	next := s.establish()
	bye.Reply(200)
	next.hangUp()
	s.quiet()
}

// HangUp takes calls in every state with it.
func TestHangUpOfARingingCall(t *testing.T) {
	s := newStage(t, setup{})
	c := s.invite()
	c.in.Reply(180)
	c.out.Expect(180)
	s.server.HangUp("shutting down")
	c.out.Expect(503)
	c.in.ExpectOther("CANCEL").Reply(200)
	c.in.Reply(487)
	c.in.ExpectOther("ACK")
	s.quiet()
}

// A leg that never answers its BYE holds the call for 64*T1.
func TestByeIsNeverAnswered(t *testing.T) {
	s := newStage(t, setup{t1: 20 * time.Millisecond})
	c := s.establish()
	c.left.Bye()
	c.right.Expect("BYE")
}

// Nobody sends media: both are hung up, with the reason.
func TestMediaTimeout(t *testing.T) {
	s := newStage(t, setup{media: 300 * time.Millisecond})
	c := s.establish()
	for _, d := range []*peer.Dialog{c.left, c.right} {
		if in := d.AnswerBye(); !strings.Contains(in.Get("Reason"), "media timeout") {
			t.Errorf("BYE with Reason %q", in.Get("Reason"))
		}
	}
	s.quiet()
}

// Whatever stands in the SDP, the call is made or refused, and ends with nothing left.
func TestHostileSDP(t *testing.T) {
	head := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	for name, tc := range map[string]struct {
		contentType, body string
		status            int // 0: passes
		holds             string
	}{
		"500 m-lines":    {"", head + strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", 500), 488, ""},
		"port 0":         {"", head + "m=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\n", 0, "m=audio 0 RTP/AVP 0"},
		"negative port":  {"", head + "m=audio -1 RTP/AVP 0\r\n", 0, "m=audio -1 "},
		"huge port":      {"", head + "m=audio 99999999999 RTP/AVP 0\r\n", 0, "m=audio 99999999999 "},
		"host name":      {"", strings.ReplaceAll(head, "c=IN IP4 192.0.2.1", "c=IN IP4 phone.example") + "m=audio 4000 RTP/AVP 0\r\n", 0, "c=IN IP4 127.0.0.1"},
		"unknown proto":  {"", head + "m=message 4000 TCP/MSRP *\r\na=path:msrp://x\r\nm=x 1 FOO/BAR y\r\n", 0, "m=message 4000 TCP/MSRP *"},
		"no m-line":      {"", head, 0, head},
		"nothing known":  {"", "\x00\xff\r\n\r\n--b\r\n", 488, ""},
		"only an m":      {"", "m=", 0, "m="},
		"multipart":      {"multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\n" + head + "m=audio 4000 RTP/AVP 0\r\n\r\n--b\r\nContent-Type: application/isup\r\n\r\n\x00\x01\xff\r\n--b--\r\n", 0, "\x00\x01\xff\r\n--b--"},
		"other type":     {"application/isup", "\x00\x01\xff", 0, "\x00\x01\xff"},
		"no end of line": {"", strings.ReplaceAll(head, "\r\n", "\n") + "m=audio 4000 RTP/AVP 0", 0, "c=IN IP4 127.0.0.1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, setup{})
			if tc.contentType == "" {
				tc.contentType = "application/sdp"
			}
			out := s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{peer.WithBody(tc.contentType, []byte(tc.body))}})
			if tc.status != 0 {
				out.Expect(tc.status)
				return
			}
			in := s.pbx.Expect("INVITE")
			if !strings.Contains(string(in.Body), tc.holds) {
				t.Errorf("passed as %q", in.Body)
			}
			in.Reply(200, peer.WithBody(tc.contentType, []byte(tc.body)))
			ok := out.Expect(200)
			if !strings.Contains(string(ok.Body), tc.holds) {
				t.Errorf("answered as %q", ok.Body)
			}
			c := &call{st: s, left: out.Dialog(ok), right: in.Dialog()}
			c.left.Ack(ok)
			c.right.Expect("ACK")
			c.hangUp()
		})
	}
}

// Requests of every kind in the early dialog, from both sides, cross.
func TestEarlyDialogRequests(t *testing.T) {
	for _, identity := range []b2bua.Identity{b2bua.IdentityPreserve, b2bua.IdentityRewrite} {
		s := newStage(t, setup{identity: identity})
		c := s.invite()
		c.in.Reply(183, peer.WithSDP(c.sdpB(1)))
		left := c.out.Dialog(c.out.Expect(183))
		right := c.in.Dialog()
		for _, method := range []string{"INFO", "UPDATE", "OPTIONS"} {
			for _, d := range [][2]*peer.Dialog{{left, right}, {right, left}} {
				out := d[0].Send(method)
				d[1].Expect(method).Reply(200)
				out.Expect(200)
			}
		}
		// The first offer has no firm answer yet: another one must wait (RFC 3311 §5.1).
		right.Send("UPDATE", peer.WithSDP(c.sdpB(2))).Expect(491)
		if got := left.Send("UPDATE", peer.WithSDP(c.sdpA(2))).Expect(500); got.Get("Retry-After") == "" {
			t.Error("500 without Retry-After")
		}
		c.in.Reply(200, peer.WithSDP(c.sdpB(1)))
		ok := c.out.Expect(200)
		left.Last = c.out
		left.Ack(ok)
		right.Expect("ACK")
		c.left, c.right = left, right
		c.hangUp()
		s.quiet()
	}
}

// Calls that end in every way leave nothing.
func TestManyEndings(t *testing.T) {
	s := newStage(t, setup{})
	for i := range 40 {
		c := s.send(peer.With("Subject", fmt.Sprint(i)))
		c.in = s.pbx.ExpectWhere("INVITE", func(m *peer.Message) bool { return m.Method() == "INVITE" && m.CallID() == c.out.Sent.CallID() })
		switch i % 4 {
		case 0:
			c.answer().hangUp()
		case 1:
			c.in.Reply(486)
			c.in.ExpectOther("ACK")
			c.out.Expect(486)
		case 2:
			c.in.Reply(180)
			c.out.Expect(180)
			c.out.Cancel().Expect(200)
			c.in.ExpectOther("CANCEL").Reply(200)
			c.in.Reply(487)
			c.in.ExpectOther("ACK")
			c.out.Expect(487)
		case 3:
			c.answer()
			bye := c.right.Send("BYE")
			c.left.AnswerBye()
			bye.Expect(200)
		}
	}
	s.quiet()
}
