package app_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
)

func TestStartAndStopLeaveNothing(t *testing.T) {
	for range 3 {
		s := open(t)
		sip, http := s.sip(), s.app.HTTPAddr()
		if status, body := s.get("/readyz"); status != 200 {
			t.Errorf("readyz: %d %s", status, body)
		}
		if v := s.metric(`sidetrack_build_info{commit="c1",version="v1"}`); v != "1" {
			t.Errorf("build info %q", v)
		}
		runtime.GC()
		if v, err := strconv.ParseFloat(s.metric("go_gc_heap_live_bytes"), 64); err != nil || v < 100_000 {
			t.Errorf("live heap %v: %v", v, err)
		}
		s.stop(context.Background())
		taken(t, "udp", sip.String())
		taken(t, "tcp", http.String())
		if p := s.app.MediaPorts(); p.Used != 0 || p.Draining != 0 {
			t.Errorf("ports %+v", p)
		}
	}
}

// A port in use: one line that names key and address, nothing logged, nothing left bound.
func TestPortInUse(t *testing.T) {
	for _, tt := range []struct{ network, listen, key string }{
		{"udp", "udp://HOME:0", "sip.listen: listening on udp://"},
		{"tcp", "tcp://HOME:0", "sip.listen: listening on tcp://"},
		{"tcp", `"HOME:0"`, "http.listen: listening on "},
	} {
		addr := taken(t, tt.network, home(9)+":0")
		cfg := parse(t, strings.NewReplacer(
			strings.ReplaceAll(tt.listen, "HOME", home(1)), strings.ReplaceAll(tt.listen, "HOME:0", addr),
		).Replace(text()))
		log := &lines{}
		a, err := app.New(cfg, app.Options{Log: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Start()
		if want := tt.key + addr + ": address already in use"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if strings.Contains(log.String(), "INFO") || len(a.Listeners()) != 0 {
			t.Errorf("%d listeners left; log:\n%s", len(a.Listeners()), log)
		}
	}
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.pem")
	if err := os.WriteFile(bad, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none.pem")
	for _, tt := range []struct {
		name string
		tls  config.TLS
		says string
	}{
		{"missing", config.TLS{Certificate: none, Key: none}, "none.pem"},
		{"not PEM", config.TLS{Certificate: bad, Key: bad}, "sip.tls"},
		{"ca missing", config.TLS{CA: none}, "none.pem"},
		{"ca empty", config.TLS{CA: bad}, "holds no certificate"},
	} {
		cfg := parse(t, text()) // a file can go away between the check and the start
		cfg.SIP.TLS = &tt.tls
		if _, err := app.New(cfg, app.Options{Log: (&lines{}).logger()}); err == nil ||
			!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Junk on the SIP ports is counted and answered, but fills no log.
func TestJunkFillsNoLog(t *testing.T) {
	s := open(t)
	conn, err := net.Dial("udp", s.sip().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := len(s.log.String())
	junk := [][]byte{
		[]byte("\x00\x01\x02\x03"), []byte("GET / HTTP/1.1\r\n\r\n"), []byte("INVITE sip:x SIP/2.0\r\n\r\n"),
		[]byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n\r\n"), bytes.Repeat([]byte("a"), 2000),
	}
	for i := range 2000 {
		conn.Write(junk[i%len(junk)])
	}
	s.eventually("the junk is counted", func() bool {
		_, body := s.get("/metrics")
		return strings.Contains(body, "sidetrack_sip_rejected_total{reason=\"parse\"}")
	})
	var loud []string
	for line := range strings.SplitSeq(s.log.String()[before:], "\n") {
		if line != "" && !strings.Contains(line, "level=DEBUG") {
			loud = append(loud, line)
		}
	}
	if len(loud) > 5 {
		t.Errorf("%d lines, such as %s", len(loud), loud[0])
	}
}
