package config_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

// What this host lacks is told as mistakes are; a host that has it all hears nothing, and nothing is made or kept by the asking.
func TestUnmet(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	busy, err := net.ListenPacket("udp", "127.0.0.1:0") // as by the proxy that runs
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	const good = `sip:
  listen: [udp://BUSY, tcp://127.0.0.1:0]
  trusted: [127.0.0.0/8]
routes:
  - to: sip:127.0.0.2:5060
media:
  listen: 127.0.0.1
  networks:
    inner: {listen: 127.0.0.9, ports: 40000-40099}
recorders:
  main: {srs: "sip:127.0.0.3:5060"}
journal:
  file: DIR/journal.db
http:
  listen: 127.0.0.1:0
  socket: DIR/api.sock
  audit: DIR/audit.jsonl
webhooks:
  queue: DIR/a/b
  hooks: [{name: crm, url: "http://127.0.0.1:9", secret: 0123456789abcdef}]
`
	fill := strings.NewReplacer("BUSY", busy.LocalAddr().String(), "DIR", dir, "PLAIN", plain)
	for _, tt := range []struct{ was, is, want string }{
		{"", "", ""},
		{"file: DIR/journal.db", "file: DIR", "13: journal.file: DIR is a folder; write the name of a file in it"},
		{"file: DIR/journal.db", "file: DIR/none/journal.db", "13: journal.file: there is no folder DIR/none; make it, for the user that serves"},
		{"audit: DIR/audit.jsonl", "audit: PLAIN/audit.jsonl", "17: http.audit: file PLAIN/audit.jsonl cannot be read: not a directory; check the name and its permissions"},
		{"socket: DIR/api.sock", "socket: PLAIN", "16: http.socket: PLAIN is there already and no socket; write another name"},
		{"queue: DIR/a/b", "queue: PLAIN/b", "19: webhooks.queue: file PLAIN/b cannot be read: not a directory; check the name and its permissions"},
		{"queue: DIR/a/b", "queue: PLAIN", "19: webhooks.queue: PLAIN is no folder; write another name"},
		{"tcp://127.0.0.1:0", "tcp://192.0.2.1:0", "2: sip.listen[1]: 192.0.2.1 is no address of this host; write one that 'ip address' shows, or 0.0.0.0 or [::]"},
		{"listen: 127.0.0.1\n", "listen: 192.0.2.1\n", "7: media.listen: 192.0.2.1 is no address of this host; write one that 'ip address' shows, or 0.0.0.0 or [::]; until it has it, calls get 503"},
		{"listen: 127.0.0.9", "listen: 192.0.2.1", "9: media.networks.inner.listen: 192.0.2.1 is no address of this host; write one that 'ip address' shows, or 0.0.0.0 or [::]; until it has it, calls get 503"},
		{"listen: 127.0.0.1:0", "listen: 192.0.2.1:8080", "15: http.listen: 192.0.2.1 is no address of this host; write one that 'ip address' shows, or 0.0.0.0 or [::]"},
	} {
		cfg, problems := config.Parse("test.yaml", []byte(fill.Replace(strings.Replace(good, tt.was, tt.is, 1))), config.Options{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		want := fill.Replace(tt.want)
		if want != "" {
			want = "test.yaml:" + want
		}
		missing, warnings := cfg.Unmet(nil)
		if strings.Contains(tt.want, "calls get 503") {
			missing, warnings = warnings, missing
		}
		if got := missing.String(); got != want || len(warnings) > 0 {
			t.Errorf("told %q, %v\nwant %q", got, warnings, want)
		}
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) != 1 {
		t.Errorf("%v %v", made, err)
	}
}

// A folder that another user owns is told of, too.
func TestUnmetPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	cfg, problems := config.Parse("test.yaml", []byte("sip: {listen: [udp://127.0.0.1:0], trusted: [127.0.0.0/8]}\nroutes: [{to: sip:127.0.0.2:5060}]\njournal: {file: /etc/journal.db}\n"), config.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	missing, _ := cfg.Unmet(nil)
	if got, want := missing.String(), "test.yaml:3: journal.file: folder /etc cannot be written: permission denied; give it to the user that serves"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}
