package recorder_test

import (
	"strings"
	"testing"

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

	s, _ = serve(t, func(c *recorder.Config) { c.PortMin, c.PortMax = 23990, 23993 })
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
