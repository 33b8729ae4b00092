package recorder_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/recorder"
	"sidetrack/internal/sip"
)

func TestRefusals(t *testing.T) {
	multipart, body := two.body(&client{})
	plain := two.sdp(&client{})
	secure := offer{sections: []section{{label: "1", proto: "RTP/SAVP"}}}
	tests := []struct {
		name, method, headers, contentType, body string
		status                                   int
		header, value                            string
	}{
		{"a plain call", "INVITE", "", "application/sdp", plain, 421, "require", "siprec"},
		{"unknown extension", "INVITE", "Require: siprec, foo\r\n", multipart, body, 420, "unsupported", "foo"},
		{"broken multipart", "INVITE", siprec, "multipart/mixed;boundary=other", body, 400, "warning", "multipart"},
		{"no boundary", "INVITE", siprec, "multipart/mixed", body, 400, "warning", "multipart"},
		{"no SDP", "INVITE", siprec, "application/rs-metadata+xml", metadataFor(two.sections), 400, "warning", "SDP offer"},
		{"no body", "INVITE", siprec, "", "", 400, "warning", "SDP offer"},
		{"text", "INVITE", siprec, "text/plain", "hello", 415, "accept", "application/sdp"},
		{"encoded", "INVITE", siprec + "Content-Encoding: gzip\r\n", multipart, body, 415, "accept-encoding", "identity"},
		{"SDP that is none", "INVITE", siprec, "application/sdp", "hello", 400, "warning", "SDP"},
		{"only encrypted media", "INVITE", siprec, "application/sdp", secure.sdp(&client{}), 488, "warning", "plain RTP"},
		{"short session interval", "INVITE", siprec + "Supported: timer\r\nSession-Expires: 30\r\n", multipart, body, 422, "min-se", "90"},
		{"session interval that is none", "INVITE", siprec + "Session-Expires: soon\r\n", multipart, body, 400, "warning", "Session-Expires"},
		{"register", "REGISTER", "", "", "", 405, "allow", "INVITE"},
		{"ping", "OPTIONS", "", "", "", 200, "supported", "siprec"},
	}
	s, ended := serve(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, proto := range []string{"udp", "tcp"} {
				m := dial(t, s, proto, 0).ask(tt.method, tt.headers, tt.contentType, tt.body)
				if m.status() != tt.status || !strings.Contains(m.headers[tt.header], tt.value) {
					t.Errorf("%s: %q, %s: %q; want %d and %q", proto, m.start, tt.header, m.headers[tt.header], tt.status, tt.value)
				}
			}
		})
	}
	if n := s.Live(); n != 0 || len(ended) != 0 {
		t.Errorf("%d sessions live, %d ended after refusals only", n, len(ended))
	}
}

func TestRequestsOfNoSession(t *testing.T) {
	s, _ := serve(t, nil)
	for _, method := range []string{"BYE", "INVITE", "UPDATE", "OPTIONS", "INFO"} {
		c := dial(t, s, "udp", 0)
		c.toTag = "unknown"
		c.want(c.ask(method, siprec, "", ""), 481)
	}
}

func TestAnswerDecides(t *testing.T) {
	s, _ := serve(t, func(c *recorder.Config) {
		c.Answer = func(m *sip.Message) (int, string) { return 503, "Disk Full" }
	})
	c := dial(t, s, "udp", 1)
	contentType, body := two.body(c)
	if m := c.ask("INVITE", siprec, contentType, body); m.start != "SIP/2.0 503 Disk Full" {
		t.Errorf("answer %q", m.start)
	}
}

func TestLimits(t *testing.T) {
	s, _ := serve(t, func(c *recorder.Config) { c.MaxSessions = 1 })
	c := dial(t, s, "udp", 2)
	c.call(two)
	d := dial(t, s, "udp", 2)
	contentType, body := two.body(d)
	m := d.ask("INVITE", siprec, contentType, body)
	if m.status() != 503 || m.headers["retry-after"] == "" {
		t.Errorf("one session too many: %q", m.start)
	}
	c.bye()

	s, _ = serve(t, func(c *recorder.Config) { c.PortMin, c.PortMax = 29990, 29993 })
	c = dial(t, s, "udp", 2)
	c.call(two)
	d = dial(t, s, "udp", 2)
	m = d.ask("INVITE", siprec, contentType, body)
	if m.status() != 503 || !strings.Contains(m.headers["warning"], "port") {
		t.Errorf("no ports left: %q, %q", m.start, m.headers["warning"])
	}
	c.bye()
	eventually(t, "the ports are free again", func() bool { return s.Live() == 0 })
	e := dial(t, s, "udp", 2)
	e.call(two)
	e.bye()
}

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

func ports2(list string) (port int) {
	var first int
	fmt.Sscanf(list, "[%d %d]", &first, &port)
	return port
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

func TestSilentClientIsGivenUp(t *testing.T) {
	s, ended := serve(t, func(c *recorder.Config) {
		c.IdleTimeout, c.RTCPInterval = 150*time.Millisecond, 30*time.Millisecond
	})
	c := dial(t, s, "udp", 2)
	c.call(two)
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") || !strings.Contains(m.headers["reason"], "idle") {
		t.Errorf("request %q, reason %q", m.start, m.headers["reason"])
	}
	if sum := result(t, ended); sum.Reason != "idle" || sum.Complete {
		t.Errorf("%+v", sum)
	}
	// While all is paused another limit holds.
	c = dial(t, s, "udp", 2)
	c.call(offer{sections: []section{{label: "1", dir: "inactive"}, {label: "2", dir: "inactive"}}})
	start := time.Now()
	eventually(t, "more than the idle time passes", func() bool { return time.Since(start) > 400*time.Millisecond })
	c.bye()
	if sum := result(t, ended); sum.Reason != "BYE from the client" {
		t.Errorf("%+v", sum)
	}
}

func TestNoAck(t *testing.T) {
	s, ended := serve(t, func(c *recorder.Config) { c.T1 = 3 * time.Millisecond })
	c := dial(t, s, "udp", 2)
	contentType, body := two.body(c)
	c.send("INVITE", siprec, contentType, body)
	c.want(c.next(), 200)
	if m := c.request(); !strings.HasPrefix(m.start, "BYE ") {
		t.Errorf("request %q", m.start)
	}
	if sum := result(t, ended); sum.Reason != "no ACK" {
		t.Errorf("%+v", sum)
	}
}

func TestRetransmissionsMakeOneSession(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	contentType, body := two.body(c)
	c.cseq = 1
	invite := c.text("INVITE", siprec, contentType, body)
	for range 5 {
		c.write(invite)
	}
	m := c.next()
	_, c.toTag, _ = strings.Cut(m.headers["to"], ";tag=")
	c.send("ACK", "", "", "")
	c.send("ACK", "", "", "")
	c.bye()
	result(t, ended)
	if n := len(s.Sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestCloseSaysGoodbye(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		s, ended := serve(t, nil)
		c := dial(t, s, proto, 2)
		c.call(two)
		newSender(c, 0, "PCMU", 0, 0).talk(50)
		packets(t, s, 0, 50)
		closed := make(chan error)
		go func() { closed <- s.Close(context.Background()) }()
		if m := c.request(); !strings.HasPrefix(m.start, "BYE ") {
			t.Errorf("request %q", m.start)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		sum := result(t, ended)
		only(t, "until the end", wav(t, sum, 0).PCM, 8000, 0)
		if sum.Reason != "recorder stopped" || sum.Complete {
			t.Errorf("%+v", sum)
		}
	}
}

func TestCloseDoesNotWaitForTheDeaf(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	c.call(two)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("no word of the client that did not answer")
	}
	result(t, ended)
}

func TestPortInUse(t *testing.T) {
	s, _ := serve(t, nil)
	addr := strings.TrimPrefix(s.URIs()[0], "sip:")
	other, err := recorder.New(recorder.Config{Listen: []string{"udp://" + addr}, Out: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want one line", err)
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, cfg := range []recorder.Config{
		{Out: "x"}, {Listen: []string{"udp://127.0.0.1:0"}},
		{Listen: []string{"udp://127.0.0.1:0"}, Out: "x", PortMin: 5000, PortMax: 5000},
		{Listen: []string{"udp://127.0.0.1:0"}, Out: "x", PortMin: 5000, PortMax: 70000},
	} {
		if _, err := recorder.New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// Labels and identifiers come from the network and become names of files.
func TestHostileNames(t *testing.T) {
	s, ended := serve(t, nil)
	labels := []string{"../../etc/passwd", "/abs", "A", "a", ".hidden", strings.Repeat("x", 300), "con\x01trol", "..", ""}
	o := offer{xml: strings.ReplaceAll(metadataFor(two.sections), sessionID, "../../../../tmp/x\x00y")}
	for _, l := range labels {
		o.sections = append(o.sections, section{label: l})
	}
	c := dial(t, s, "tcp", len(labels))
	c.call(o)
	for i := range labels {
		newSender(c, i, "PCMU", 0, i%8).talk(5)
		packets(t, s, i, 5)
	}
	c.bye()
	sum := result(t, ended)
	root, err := filepath.Abs(filepath.Dir(sum.Folder))
	if err != nil || filepath.Base(root) != "out" {
		t.Fatalf("folder %q", sum.Folder)
	}
	files := map[string]bool{}
	for _, st := range sum.Streams {
		if filepath.Dir(st.File) != sum.Folder || files[strings.ToLower(st.File)] || strings.HasPrefix(filepath.Base(st.File), ".") {
			t.Errorf("label %q went to %q", st.Label, st.File)
		}
		files[strings.ToLower(st.File)] = true
	}
	if entries, err := os.ReadDir(filepath.Dir(root)); err != nil || len(entries) != 1 {
		t.Errorf("%d entries beside the output folder", len(entries))
	}
	if len(sum.Problems) == 0 {
		t.Error("nothing is said about such a session")
	}
}

// Every mistake is told, none ends the session.
func TestProblemsAreTold(t *testing.T) {
	tests := []struct {
		name string
		o    offer
		want string
	}{
		{"labels differ", offer{sections: two.sections, xml: metadataFor([]section{{label: "1"}, {label: "9"}})}, "9"},
		{"truncated XML", offer{sections: two.sections, xml: "<recording xmlns='urn:ietf:params:xml:ns:recording:1'><data"}, "metadata 1"},
		{"entity bomb", offer{sections: two.sections, xml: `<!DOCTYPE r [<!ENTITY a "b">]><recording/>`}, "document type"},
		{"no metadata", offer{sections: two.sections, xml: "none"}, "MD-02"},
		{"no label", offer{sections: []section{{label: "1"}, {}}}, "SDP-03"},
		{"label twice", offer{sections: []section{{label: "1"}, {label: "1"}}}, "SDP-05"},
		{"one encrypted", offer{sections: []section{{label: "1"}, {label: "2", proto: "RTP/SAVP"}}}, "encrypted"},
		{"partial first", offer{sections: two.sections, xml: strings.Replace(metadataFor(two.sections), ">complete<", ">partial<", 1)}, "MD-05"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ended := serve(t, nil)
			c := dial(t, s, "udp", 2)
			c.call(tt.o)
			newSender(c, 0, "PCMU", 0, 0).talk(10)
			packets(t, s, 0, 10)
			c.bye()
			sum := result(t, ended)
			if !strings.Contains(strings.Join(sum.Problems, "\n"), tt.want) {
				t.Errorf("problems %q, want one with %q", sum.Problems, tt.want)
			}
			only(t, "still recorded", wav(t, sum, 0).PCM, 8000, 0)
		})
	}
}

// An output folder that cannot be written to costs the files, not the process, and is told.
func TestDiskTrouble(t *testing.T) {
	var out string
	s, ended := serve(t, func(c *recorder.Config) { out = c.Out })
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s, "udp", 2)
	c.call(two)
	newSender(c, 0, "PCMU", 0, 0).talk(20)
	newSender(c, 1, "PCMU", 0, 1).talk(20)
	packets(t, s, 1, 20)
	c.bye()
	sum := result(t, ended)
	if sum.Complete || !strings.Contains(strings.Join(sum.Problems, "\n"), "writing") {
		t.Errorf("complete %v, problems %q", sum.Complete, sum.Problems)
	}
}

func TestTwentyAtOnce(t *testing.T) {
	s, ended := serve(t, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		c := dial(t, s, []string{"udp", "tcp"}[i%2], 2)
		wg.Go(func() {
			c.call(two)
			a, b := newSender(c, 0, "PCMU", 0, i%8), newSender(c, 1, "PCMU", 0, (i+1)%8)
			for range 10 {
				a.talk(10)
				b.talk(10)
			}
			c.bye()
		})
	}
	wg.Wait()
	folders := map[string]bool{}
	for range 20 {
		sum := result(t, ended)
		folders[sum.Folder] = true
		if !sum.Complete || sum.Streams[0].Packets != 100 || sum.Streams[1].Packets != 100 {
			t.Errorf("%+v", sum)
		}
	}
	if len(folders) != 20 {
		t.Errorf("%d folders", len(folders))
	}
}
