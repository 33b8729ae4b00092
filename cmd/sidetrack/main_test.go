package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is where a command writes in a test.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// command runs the program with those arguments.
func try(args ...string) (status int, out, err string) {
	var o, e output
	status = run(args, stdio{&o, &e})
	return status, o.String(), e.String()
}

const goodYAML = `
sip: {listen: ["udp://127.0.0.1:0"], trusted: [127.0.0.0/8], drain: 1s}
routes: [{to: "sip:127.0.0.1:5070"}]
media: {listen: 127.0.0.1, ports: 27000-27099}
recorders: {main: {srs: "sip:127.0.0.1:5090"}}
recording: [{recorder: main}]
http: {listen: ""}
`

// file writes a configuration.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sidetrack.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRun(t *testing.T) {
	good := file(t, goodYAML)
	bad := file(t, strings.Replace(strings.Replace(goodYAML, "drain: 1s", "drain: soon", 1), "recording:", "recordng:", 1))
	for _, tt := range []struct {
		args     string
		status   int
		out, err string // what they hold; "" means empty
	}{
		{"", 1, "", "Usage:"},
		{"help", 0, "sidetrack serve", ""},
		{"--help", 0, "sidetrack serve", ""},
		{"help serve", 0, "--config FILE", ""},
		{"help nonsense", 1, "", `no command "nonsense"`},
		{"serve --help", 0, "Run the proxy.", ""},
		{"pause -h", 0, "sidetrack pause ID\n", ""},
		{"recorder --help", 0, "--listen URL", ""},
		{"serv", 1, "", `sidetrack: there is no command "serv"; 'sidetrack help' lists them`},
		{"version", 0, "sidetrack devel\n", ""},
		{"--version", 0, "commit ", ""},
		{"version now", 1, "", `sidetrack version: unexpected argument "now"`},
		{"check --config " + good, 0, "udp://127.0.0.1", ""},
		{"check " + good, 1, "", "unexpected argument"},
		{"check --config /nowhere/x.yaml", 1, "", "/nowhere/x.yaml: cannot be read"},
		{"check --config " + bad, 1, "", "sip.drain"},
		{"serve --config " + bad, 1, "", "recordng"},
		{"serve --config /nowhere/x.yaml", 1, "", "cannot be read"},
		{"serve --port 5060", 1, "", "there is no option --port; 'sidetrack serve --help' lists the options\n"},
		{"demo --calls 0", 1, "", "--calls: 0 is not from 1 to 50"},
		{"demo --calls many", 1, "", `--calls cannot be "many"; 'sidetrack demo --help'`},
		{"demo --calls", 1, "", "--calls needs a value; 'sidetrack demo --help'"},
		{"calls --json=perhaps", 1, "", `--json cannot be "perhaps"; 'sidetrack calls --help'`},
		{"top --every soon", 1, "", `--every cannot be "soon"; 'sidetrack top --help'`},
		{"demo --seconds 3.9", 1, "", "--seconds: 3.9 is not from 4 to 600"},
		{"demo --seconds NaN", 1, "", "--seconds"},
		{"demo --seconds 1e300", 1, "", "--seconds"},
		{"demo here", 1, "", "unexpected argument"},
		{"recorder --ports 5", 1, "", "--ports 5: write a range such as 30000-39999"},
		{"recorder --ports 9-5", 1, "", "--ports"},
		{"recorder --ports 30000-39999x", 1, "", "--ports"},
		{"recorder --log loud", 1, "", "--log loud: write debug, info, warn or error"},
		{"recorder --log-format xml", 1, "", "--log-format xml"},
		{"recorder --listen 5090", 1, "", "sidetrack recorder: 5090 is no socket to listen on; write udp://HOST:PORT or tcp://HOST:PORT"},
		{"recorder --listen tls://127.0.0.1:0", 1, "", "write udp://HOST:PORT or tcp://HOST:PORT"},
		{"recorder --out /proc/none", 1, "", "sidetrack recorder: the output folder cannot be written to: "},
		{"recorder stop", 1, "", "unexpected argument"},
		{"pause", 1, "", "which recording?"},
		{"move", 1, "", "which recording?"},
		{"stop a b", 1, "", "which recording?"},
		{"start", 1, "", "which call?"},
		{"start c1", 1, "", "which recorder?"},
		{"calls a b", 1, "", "unexpected argument"},
		{"calls --api 127.0.0.1:1", 1, "", "no proxy answers at http://127.0.0.1:1 (connection refused)"},
		{"calls --api http://[x", 1, "", "--api http://[x: not an address"},
	} {
		status, out, err := try(strings.Fields(tt.args)...)
		if status != tt.status || !holds(out, tt.out) || !holds(err, tt.err) {
			t.Errorf("sidetrack %s: %d\nout: %s\nerr: %s", tt.args, status, out, err)
		}
		if tt.status == 1 && tt.args != "" && tt.args != "serve --config "+bad && tt.args != "check --config "+bad && strings.Count(err, "\n") != 1 {
			t.Errorf("sidetrack %s: more than one clear line: %s", tt.args, err)
		}
	}
}

func holds(text, want string) bool { return want != "" && strings.Contains(text, want) || text == want }

// All mistakes of a file are told in one run.
func TestCheckTellsAllMistakes(t *testing.T) {
	name := file(t, strings.NewReplacer("drain: 1s", "drain: soon", "recording:", "recordng:", "27000-27099", "many").Replace(goodYAML))
	status, _, err := try("check", "--config", name)
	lines := strings.Split(strings.TrimSpace(err), "\n")
	if status != 1 || len(lines) < 3 {
		t.Fatalf("%d: %s", status, err)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, name+":") {
			t.Errorf("no file and line: %s", line)
		}
	}
}

// What this host has not is told by check as by serve, unless the file is for another one.
func TestCheckTellsWhatServeRefuses(t *testing.T) {
	name := file(t, goodYAML+"journal: {file: /nonexistent/journal.db}\n")
	for args, refused := range map[string]bool{"check": true, "serve": true, "check --elsewhere": false} {
		status, _, err := try(append(strings.Fields(args), "--config", name)...)
		if told := strings.Contains(err, ": journal.file: there is no folder /nonexistent; make it"); told != refused || status != map[bool]int{true: 1}[refused] {
			t.Errorf("%s: %d %s", args, status, err)
		}
	}
}

// A file that is no journal of ours is told of with its place, and left as it is.
func TestCheckLooksIntoTheJournal(t *testing.T) {
	other := filepath.Join(t.TempDir(), "notes.db")
	if err := os.WriteFile(other, []byte("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := file(t, goodYAML+"journal: {file: "+other+"}\n")
	for _, command := range []string{"check", "serve"} {
		status, _, err := try(command, "--config", name)
		if want := name + ":8: journal.file: " + other + " holds something else than a journal; write another name\n"; status != 1 || err != want {
			t.Errorf("%s: %d %s", command, status, err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(other))
	if b, _ := os.ReadFile(other); err != nil || string(b) != "notes" || len(left) != 1 {
		t.Errorf("%q, %v, %v", b, left, err)
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	for _, tt := range []struct{ args, rest, out string }{
		{"a b --out x c", "a b c", "x"},
		{"--out x a", "a", "x"},
		{"a --out=x", "a", "x"},
		{"--out x -- --out y", "--out y", "x"},
		{"a -- -b", "a -b", ""},
		{"-- --", "--", ""},
		{"", "", ""},
	} {
		fs := flags("demo")
		out := fs.String("out", "", "")
		rest, err := parse(fs, strings.Fields(tt.args), stdio{})
		if err != nil || strings.Join(rest, " ") != tt.rest || *out != tt.out {
			t.Errorf("%s: %v, out %q, %v", tt.args, rest, *out, err)
		}
	}
}
