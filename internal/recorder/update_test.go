package recorder_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/recorder"
)

func TestWithinTheSession(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "tcp", 3)
	c.call(two)
	ports := fmt.Sprint(c.remote)
	answer := c.body
	if m := c.call(two); m.body != answer {
		t.Errorf("a refresh with the same SDP got another answer:\n%s\nwas:\n%s", m.body, answer)
	}

	m := c.ask("UPDATE", siprec, "application/rs-metadata+xml", strings.ReplaceAll(metadataFor(nil), "Alice", "Alicia"))
	c.want(m, 200)
	if m.body != "" {
		t.Errorf("UPDATE with metadata alone is answered with a body:\n%s", m.body)
	}
	c.want(c.ask("OPTIONS", "", "", ""), 200)
	c.want(c.ask("INFO", "", "application/media_control+xml", "<media_control/>"), 200)
	c.want(c.ask("MESSAGE", "", "text/plain", "hello"), 405)
	c.want(c.ask("UPDATE", "Require: foo\r\n", "", ""), 420)
	c.want(c.ask("INVITE", siprec, "text/plain", "hello"), 415)

	// Drop the first, add a third.
	m = c.call(offer{version: 1, sections: []section{{label: "1", off: true}, {label: "2"}, {label: "3"}}})
	if fmt.Sprint(c.remote[:2]) != fmt.Sprint([]int{0, ports2(ports)}) || c.remote[2] == 0 {
		t.Errorf("ports %v after %s", c.remote, ports)
	}
	if !strings.Contains(m.body, " 2 IN IP4") && !strings.Contains(m.body, "o=") {
		t.Errorf("answer:\n%s", m.body)
	}
	newSender(c, 1, "PCMU", 0, 1).talk(50)
	newSender(c, 2, "PCMU", 0, 2).talk(50)
	packets(t, s, 2, 50)
	c.want(c.ask("BYE", "", "application/rs-metadata+xml", metadataFor(nil)), 200)
	sum := result(t, ended)
	only(t, "label 2", wav(t, sum, 1).PCM, 8000, 1)
	only(t, "label 3", wav(t, sum, 2).PCM, 8000, 2)
	silent(t, "label 1", wav(t, sum, 0).PCM)
	if sum.Documents != 5 || sum.Parties[0].Name != "Alice" {
		t.Errorf("%d documents, parties %+v", sum.Documents, sum.Parties)
	}
	if got := mustRead(t, sum.Folder, "metadata-3.xml"); !strings.Contains(got, "Alicia") {
		t.Error("the third document is not the one of the UPDATE")
	}
}

// A transfer told by a partial document (RFC 8068 §3.2.3): the label goes over to a new stream, and to who sends that.
func TestTransferByPartialDocument(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "tcp", 2)
	c.call(two)
	const carol, voice = "Q2Fyb2wAAEAAgAAAAAAAAQ==", "U3RyZWFtAEAAgAAAAAAABQ=="
	c.call(offer{version: 1, sections: two.sections, xml: `<?xml version="1.0" encoding="UTF-8"?>` +
		`<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>` +
		`<participant participant_id="` + carol + `"><nameID aor="sip:carol@example.com"/></participant>` +
		`<stream stream_id="` + voice + `" session_id="` + sessionID + `"><label>2</label></stream>` +
		`<participantsessionassoc participant_id="` + bobID + `" session_id="` + sessionID + `"><disassociate-time>2025-01-02T03:05:00Z</disassociate-time></participantsessionassoc>` +
		`<participantsessionassoc participant_id="` + carol + `" session_id="` + sessionID + `"><associate-time>2025-01-02T03:05:00Z</associate-time></participantsessionassoc>` +
		`<participantstreamassoc participant_id="` + carol + `"><send>` + voice + `</send><associate-time>2025-01-02T03:05:00Z</associate-time></participantstreamassoc></recording>`})
	c.bye()
	if sum := result(t, ended); sum.Streams[0].Party != "sip:alice@example.com" || sum.Streams[1].Party != "sip:carol@example.com" || len(sum.Parties) != 3 {
		t.Errorf("%+v of %+v, %q", sum.Streams, sum.Parties, sum.Problems)
	}
}

func ports2(list string) (port int) {
	var first int
	fmt.Sscanf(list, "[%d %d]", &first, &port)
	return port
}

// A section once disabled may be taken for another stream: that gets a file of its own.
func TestSectionTakenForAnotherStream(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	c.call(two)
	newSender(c, 0, "PCMU", 0, 0).talk(20)
	newSender(c, 1, "PCMU", 0, 1).talk(20)
	packets(t, s, 0, 20)
	// The document may leave the stream out with its section, or keep it.
	dropped := []section{{label: "1", off: true}, {label: "2"}}
	c.call(offer{version: 1, sections: dropped})
	c.call(offer{version: 1, sections: dropped, xml: metadataFor([]section{{}, {label: "2"}})})
	c.call(offer{version: 2, sections: []section{{label: "3"}, {label: "2"}}})
	newSender(c, 0, "PCMU", 0, 2).talk(20)
	packets(t, s, 1, 20)
	c.bye()
	sum := result(t, ended)
	if len(sum.Problems) > 0 {
		t.Errorf("problems %q", sum.Problems)
	}
	for i, want := range []struct {
		label string
		voice int
	}{{"1", 0}, {"3", 2}} {
		if got := sum.Streams[i].Label; got != want.label {
			t.Errorf("stream %d has label %s", i, got)
		}
		only(t, "label "+want.label, wav(t, sum, i).PCM, 8000, want.voice)
	}
}

func TestTooManySections(t *testing.T) {
	s, _ := serve(t, nil)
	c := dial(t, s, "tcp", 1)
	var o offer
	for i := range 20 {
		o.sections = append(o.sections, section{label: fmt.Sprint(i + 1)})
	}
	c.call(o)
	live := 0
	for _, p := range c.remote {
		if p != 0 {
			live++
		}
	}
	if len(c.remote) != 20 || live != 16 {
		t.Errorf("answer with %d sections, %d of them live", len(c.remote), live)
	}
	c.bye()
}

// A re-INVITE without SDP is a mistake of the client's, but it is to be answered with
// an offer (RFC 3261 §14.2), and the ACK holds the answer.
func TestOfferlessReinvite(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	c.call(two)
	ports := fmt.Sprint(c.remote)
	c.send("INVITE", siprec, "application/rs-metadata+xml", metadataFor(two.sections))
	m := c.next()
	c.want(m, 200)
	c.takePorts(m)
	if fmt.Sprint(c.remote) != ports || strings.Count(m.body, "a=recvonly") != 2 {
		t.Errorf("offer:\n%s", m.body)
	}
	c.send("ACK", "", "application/sdp", offer{sections: []section{{label: "1", dir: "inactive"}, {label: "2"}}}.sdp(c))
	eventually(t, "the first stream is paused", func() bool { return len(s.Sessions()[0].Streams[0].Pauses) == 1 })
	c.bye()
	if sum := result(t, ended); len(sum.Streams[1].Pauses) != 0 || !strings.Contains(fmt.Sprint(sum.Problems), "MD-20") {
		t.Errorf("%+v", sum)
	}
}

func TestSessionTimer(t *testing.T) {
	s, _ := serve(t, nil)
	tests := []struct{ headers, want, require string }{
		{"Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", "1800;refresher=uac", "timer"},
		{"Supported: timer\r\nSession-Expires: 120\r\n", "120;refresher=uac", "timer"},
		{"Supported: timer\r\nx: 120;refresher=uas\r\n", "120;refresher=uas", ""},
		{"Session-Expires: 40\r\n", "90;refresher=uas", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		c := dial(t, s, "udp", 2)
		m := c.call(offer{sections: two.sections, headers: tt.headers})
		if m.headers["session-expires"] != tt.want || m.headers["require"] != tt.require {
			t.Errorf("%q: Session-Expires %q, Require %q", tt.headers, m.headers["session-expires"], m.headers["require"])
		}
		m = c.ask("UPDATE", siprec+tt.headers, "", "")
		if m.status() != 200 || m.headers["session-expires"] != tt.want {
			t.Errorf("refresh: %q, Session-Expires %q", m.start, m.headers["session-expires"])
		}
		c.bye()
	}
}

// The client wants us to refresh: by UPDATE where it takes that, else by re-INVITE.
func TestWeRefresh(t *testing.T) {
	for _, method := range []string{"UPDATE", "INVITE"} {
		s, ended := serve(t, func(c *recorder.Config) { c.MinSE = time.Second })
		c := dial(t, s, "udp", 2)
		o := offer{sections: two.sections, headers: "Supported: timer\r\nSession-Expires: 1;refresher=uas\r\n"}
		if method == "INVITE" {
			o.headers += "Allow: INVITE, ACK, BYE\r\n"
		}
		contentType, body := o.body(c)
		m := c.ask("INVITE", "Require: siprec\r\n"+or(map[string]string{"UPDATE": "Allow: UPDATE\r\n"}[method], "")+o.headers, contentType, body)
		c.want(m, 200)
		c.takePorts(m)
		for range 2 { // and again
			var m message
			select {
			case m = <-c.asked:
			case <-time.After(patience):
				t.Fatal("no refresh")
			}
			if !strings.HasPrefix(m.start, method+" ") || m.headers["session-expires"] != "1;refresher=uac" {
				t.Fatalf("request %q, Session-Expires %q", m.start, m.headers["session-expires"])
			}
			extra, answer := "Session-Expires: 1;refresher=uac\r\n", ""
			if method == "INVITE" {
				extra, answer = extra+"Content-Type: application/sdp\r\n", two.sdp(c)
			}
			c.answer(m, extra, answer)
			if method == "INVITE" {
				if ack := <-c.asked; !strings.HasPrefix(ack.start, "ACK ") {
					t.Errorf("after the 200: %q", ack.start)
				}
			}
		}
		c.bye()
		if sum := result(t, ended); sum.Reason != "BYE from the client" {
			t.Errorf("%+v", sum)
		}
	}
}

func TestClientThatDoesNotRefresh(t *testing.T) {
	s, ended := serve(t, func(c *recorder.Config) { c.MinSE = time.Second })
	c := dial(t, s, "udp", 2)
	c.call(offer{sections: two.sections, headers: "Supported: timer\r\nSession-Expires: 1;refresher=uac\r\n"})
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") {
		t.Errorf("request %q", m.start)
	}
	if sum := result(t, ended); sum.Reason != "session timer expired" || sum.Complete {
		t.Errorf("%+v", sum)
	}
}
