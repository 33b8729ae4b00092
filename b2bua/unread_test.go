package b2bua_test

import (
	"strings"
	"testing"

	"sidetrack/metadata"
	"sidetrack/tests/peer"
)

const hidden = "192.0.2.77" // where parties want media that nobody must send there

func sdpWith(eol string) string {
	return strings.Join([]string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 " + hidden, "t=0 0", "m=audio 4000 RTP/AVP 0", ""}, eol)
}

// bodies are those whose session descriptions somebody else may read though we do not, or read otherwise.
var bodies = map[string]struct {
	contentType, body string
	opts              []peer.Opt
	offered           int // status for an offer; 0: it passes, anchored
}{
	"lone CR":          {"application/sdp", sdpWith("\r"), nil, 0},
	"CR and LF mixed":  {"application/sdp", strings.Replace(sdpWith("\r\n"), "\r\n", "\r", 3), nil, 0},
	"not SDP":          {"application/sdp", "hello", nil, 488},
	"many parts":       {"multipart/mixed;boundary=b", strings.Repeat("--b\r\nContent-Type: text/plain\r\n\r\nx\r\n", 64) + part("", sdpWith("\r\n")) + "--b--\r\n", nil, 488},
	"deep parts":       {"multipart/mixed;boundary=b", deep(6), nil, 488},
	"early first":      {"multipart/mixed;boundary=b", part("Content-Disposition: early-session\r\n", sdpWith("\r\n")) + part("", sdpWith("\r\n")) + "--b--\r\n", nil, 0},
	"session first":    {"multipart/mixed;boundary=b", part("Content-Disposition: session\r\n", sdpWith("\r\n")) + part("", sdpWith("\r\n")) + "--b--\r\n", nil, 0},
	"empty part first": {"multipart/mixed;boundary=b", part("", "") + part("", sdpWith("\r\n")) + "--b--\r\n", nil, 0},
	"junk part":        {"multipart/mixed;boundary=b", part("", sdpWith("\r\n")) + part("", "hello") + "--b--\r\n", nil, 488},
	"encoded":          {"application/sdp", "\x1f\x8b\x08\x00", []peer.Opt{peer.With("Content-Encoding", "gzip")}, 415},
	"encoded, compact": {"application/sdp", "\x1f\x8b\x08\x00", []peer.Opt{peer.With("e", "gzip")}, 415},
	"encoded part":     {"multipart/mixed;boundary=b", part("Content-Transfer-Encoding: base64\r\n", "dj0wDQo=") + "--b--\r\n", nil, 415},
	"binary part":      {"multipart/mixed;boundary=b", part("Content-Transfer-Encoding: binary\r\n", sdpWith("\r\n")) + "--b--\r\n", nil, 0},
}

func part(fields, body string) string {
	return "--b\r\nContent-Type: application/sdp\r\n" + fields + "\r\n" + body + "\r\n"
}

func deep(n int) string {
	inner := part("", sdpWith("\r\n")) + "--b--\r\n"
	for range n {
		inner = "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n" + inner + "\r\n--b--\r\n"
	}
	return inner
}

// No description passes that we have not read: neither in an offer nor in an answer does the other party learn where
// media would go past us.
func TestUnreadDescriptions(t *testing.T) {
	s := newStage(t, setup{})
	for name, tc := range bodies {
		s.ladder.Note("%s", name)
		body := append([]peer.Opt{peer.WithBody(tc.contentType, []byte(tc.body))}, tc.opts...)
		s.offersUnread(name, tc.offered, body)
		s.answersUnread(name, tc.offered, body)
	}
	s.quiet()
}

func (s *stage) offersUnread(name string, status int, body []peer.Opt) {
	s.t.Helper()
	out := s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: body})
	if status != 0 {
		no := out.Expect(status)
		if status == 415 && no.Get("Accept-Encoding") != "identity" || status == 488 && no.Get("Warning") == "" {
			s.t.Errorf("%s: refused with %q", name, no.Raw)
		}
		return
	}
	in := s.pbx.Expect("INVITE")
	if strings.Contains(string(in.Body), hidden) || !strings.Contains(string(in.Body), "c=IN IP4 127.0.0.1") {
		s.t.Errorf("%s: offered as %q", name, in.Body)
	}
	in.Reply(486)
	in.ExpectOther("ACK")
	out.Expect(486)
}

func (s *stage) answersUnread(name string, status int, body []peer.Opt) {
	s.t.Helper()
	c := s.invite()
	c.in.Reply(200, body...)
	got := c.out.ExpectFinal()
	c.right = c.in.Dialog()
	if strings.Contains(string(got.Body), hidden) {
		s.t.Errorf("%s: answered as %q", name, got.Body)
	}
	if status != 0 {
		if got.Status() != 488 {
			s.t.Errorf("%s: answered %s", name, got.Start)
		}
		c.right.Expect("ACK")
		c.right.AnswerBye()
		return
	}
	c.left = c.out.Dialog(got)
	c.left.Ack(got)
	c.right.Expect("ACK")
	c.hangUp()
}

// A call whose description is that of a session, not of an early session, has its media there.
func TestSessionBesideEarlySession(t *testing.T) {
	s := newStage(t, setup{})
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	early := part("Content-Disposition: early-session\r\n", sdpWith("\r\n"))
	both := peer.WithBody("multipart/mixed;boundary=b", []byte(early+part("", string(c.sdpA(1)))+"--b--\r\n"))
	c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, Opts: []peer.Opt{both}})
	c.in = s.pbx.Expect("INVITE")
	var parts []peer.BodyPart
	for _, p := range c.in.Parts() {
		if p.Type() == "application/sdp" {
			parts = append(parts, p)
		}
	}
	if len(parts) != 2 {
		t.Fatalf("%d descriptions came", len(parts))
	}
	toA := peer.ParseSDP(parts[1].Body).Media[0].Addr()
	c.answer()
	c.b.Send(toA)
	c.a.AwaitFrom("callee", 0, 1)
	c.hangUp()
}

// A call without descriptions has a recorder that may demand its recording: it decides before the caller is answered.
func TestRequiredWithoutDescriptions(t *testing.T) {
	r := newRecorder(true)
	s := newStage(t, setup{recorder: r})
	out := s.caller.Invite(s.proxy, peer.Call{URI: bob})
	in := s.pbx.Expect("INVITE")
	in.Reply(200)
	if cs := <-r.updates; len(cs.Streams) != 0 || cs.State != metadata.CallAnswered {
		t.Errorf("begun as %+v", cs)
	}
	(<-r.begun)(metadata.StateEnded, "no audio")
	out.Expect(503)
	right := in.Dialog()
	right.Expect("ACK")
	right.AnswerBye()
	<-r.ended
	s.quiet()
}

// So has one whose offer came with the answer and was never answered itself.
func TestRequiredWithoutAnswerInACK(t *testing.T) {
	r := newRecorder(true)
	s := newStage(t, setup{recorder: r})
	out := s.caller.Invite(s.proxy, peer.Call{URI: bob})
	in := s.pbx.Expect("INVITE")
	in.Reply(200, peer.WithSDP([]byte(sdpWith("\r\n"))))
	ok := out.Expect(200)
	left, right := out.Dialog(ok), in.Dialog()
	left.Ack(ok)
	right.Expect("ACK")
	(<-r.begun)(metadata.StateEnded, "no audio")
	left.AnswerBye()
	right.AnswerBye()
	if cs := <-r.ended; len(cs.Streams) != 0 {
		t.Errorf("ended as %+v", cs)
	}
}

// Audio over TCP does not pass our ports: the recorder is not told that there is some.
func TestAudioOverTCPIsNotRecorded(t *testing.T) {
	r := newRecorder(false)
	s := newStage(t, setup{recorder: r})
	c := &call{st: s, a: peer.NewMedia(t, "127.0.0.1", "c", "caller"), b: peer.NewMedia(t, "127.0.0.1", "c", "callee")}
	overTCP := "m=audio 4000 TCP/RTP/AVP 0\r\na=setup:actpass\r\n"
	offer, answer := string(c.sdpA(1))+overTCP, string(c.sdpB(1))+overTCP
	c.out = s.caller.Invite(s.proxy, peer.Call{URI: bob, SDP: []byte(offer)})
	c.in = s.pbx.Expect("INVITE")
	if got := string(c.in.SDP()); len(got) == 0 || peer.ParseSDP(c.in.SDP()).Media[1].Port != 4000 {
		t.Errorf("offered as %q", got)
	}
	c.in.Reply(200, peer.WithSDP([]byte(answer)))
	ok := c.out.Expect(200)
	c.left, c.right = c.out.Dialog(ok), c.in.Dialog()
	c.left.Ack(ok)
	c.right.Expect("ACK")
	if cs := <-r.updates; len(cs.Streams) != 1 || cs.Streams[0].Index != 0 {
		t.Errorf("the recorder is told of %+v", cs.Streams)
	}
	c.hangUp()
	<-r.ended
}
