package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sidetrack/b2bua"
	"sidetrack/src"
)

// whole is an HTTP API that has one of everything. It wants a token when token is set.
func whole(token string) http.Handler {
	mux := http.NewServeMux()
	say := func(pattern, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	}
	say("GET /api/v1/srs", `{"items":[{"recorder":"main","index":0,"srs":"sip:a","state":"fit","failures":0,"sessions":3}]}`)
	say("POST /api/v1/srs/main/0/drain", `{"recorder":"main","index":0,"srs":"sip:a","state":"drained","sessions":3}`)
	say("GET /api/v1/rules", `{"items":[{"kind":"route","place":1,"name":"out","match":["From ~ a","To ~ b"],"outcome":"sip:x"}]}`)
	say("GET /api/v1/overview", `{"you":{},"now":{"time":"2026-03-01T12:00:10Z","calls":3,"recordings":{"recording":1,"paused":0},
		"items":[{"id":"c1","from":"sip:a\u001b[31m@x","to":"sip:b@x","state":"answered","since":"2026-03-01T12:00:00Z",
		"recordings":[{"id":"r1","state":"recording","srs":"sip:s","streams":[{"packets_in":7,"packets_copied":5}]}]},
		{"id":"c2","state":"early","since":"2026-03-01T12:00:05Z","recordings":[]},
		{"id":"c3","from":"sip:a|b\u0009c@x","to":"sip:|@x","state":"early","since":"2026-03-01T12:00:05Z","recordings":[]}],
		"srs":[{"recorder":"main","index":0,"srs":"sip:a","state":"fit"}]}}`)
	mux.HandleFunc("GET /api/v1/calls/{id}/{what}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s of %s, %s\n", r.PathValue("what"), r.PathValue("id"), r.URL.RawQuery)
	})
	mux.HandleFunc("POST /api/v1/calls/{id}/pcap", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("id") {
		case "gone":
			w.WriteHeader(404)
			fmt.Fprint(w, `{"detail":"call gone: no such call or recording"}`)
			return
		case "cut":
			fmt.Fprint(w, "half")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "packets of %s, %s", r.PathValue("id"), body)
	})
	mux.HandleFunc("POST /api/v1/reload", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(409)
		fmt.Fprint(w, `{"title":"Conflict","status":409,"detail":"the file has mistakes; nothing was changed","mistakes":["x.yaml:1: a","x.yaml:2: b"]}`)
	})
	var mu sync.Mutex
	n := 0
	mux.HandleFunc("GET /api/v1/events", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		// Each connection gives one event and breaks; the next goes on behind it.
		if n > 0 && r.Header.Get("Last-Event-ID") != fmt.Sprint(n) {
			w.WriteHeader(400)
			return
		}
		n++
		fmt.Fprintf(w, ": \n\nid: %d\nevent: call.start\ndata: {\"type\":\"call.start\",\"n\":%d,\"dlg_id\":\"c1\",\"from\":\"sip:\\u001b[2Ja@x\",\"time\":\"2026-03-01T12:00:00Z\"}\n\n", n, n)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" && r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(401)
			fmt.Fprint(w, `{"detail":"a token is needed"}`)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func TestEyesAndCare(t *testing.T) {
	server := httptest.NewServer(whole(""))
	defer server.Close()
	t.Setenv("SIDETRACK_API", server.URL)
	capture := filepath.Join(t.TempDir(), "c.pcap")
	media := filepath.Join(t.TempDir(), "media.pcap")
	for _, tt := range []struct {
		args     string
		status   int
		out, err string
	}{
		{"top --json=false", 0, "3 calls, 1 recording\n", ""},
		{"top --json=false", 0, "c1    answered  10s  sip:a?[31m@x  sip:b@x  recording  sip:s  7        5", ""},
		{"top --json=false", 0, "c3    early     5s   sip:a|b?c@x   sip:|@x  -", ""}, // what parties send makes no columns
		{"top --json=false --count 2 --every 100ms", 0, "c2    early", ""},
		{"top --json", 0, `"calls":3`, ""},
		{"top --every 1ms", 1, "", "--every is 100ms or more"},
		{"srs --json=false", 0, "main      0      sip:a  fit", ""},
		{"srs", 0, "{\"recorder\":\"main\",\"index\":0", ""},
		{"drain main/0 --json=false", 0, "sip:a drained, 3 sessions\n", ""},
		{"drain main", 1, "", "RECORDER/INDEX"},
		{"enable", 1, "", "RECORDER/INDEX"},
		{"rules --json=false", 0, "route  1      out   From ~ a and To ~ b  sip:x", ""},
		{"ladder c1 --json=false", 0, "ladder of c1, format=text&redact=false\n", ""},
		{"ladder c1 --redact", 0, "ladder of c1, redact=true\n", ""},
		{"ladder c1 --pcap -", 0, "pcap of c1, redact=false\n", ""},
		{"ladder c1 --pcap " + capture, 0, "", ""},
		{"ladder", 1, "", "which call?"},
		{"capture c1 --pcap -", 0, `packets of c1, {"limit":"30s","bytes":16777216}`, ""},
		{"capture c1 --limit 2s --bytes 65536 --pcap " + media, 0, "", "for 2s, or until the call is over\n43 bytes in " + media},
		{"capture gone --pcap " + media + "2", 1, "", "sidetrack capture: call gone: no such call or recording\n"},
		{"capture cut --pcap -", 1, "half", "the capture has broken off: unexpected EOF"},
		{"capture", 1, "", "which call?"},
		{"reload", 1, "", "nothing was changed\nx.yaml:1: a\nx.yaml:2: b\n"},
		{"tail --count 2 --json", 0, "\"n\":2", ""},
		{"completion", 1, "", "which shell?"},
		{"completion tcsh", 1, "", "which shell?"},
	} {
		status, out, err := try(strings.Fields(tt.args)...)
		if status != tt.status || !holds(out, tt.out) || !holds(err, tt.err) || strings.Contains(out, "\x1b") {
			t.Errorf("sidetrack %s: %d\nout: %s\nerr: %s", tt.args, status, out, err)
		}
	}
	if b, err := os.ReadFile(capture); err != nil || string(b) != "pcap of c1, redact=false\n" {
		t.Errorf("%q %v", b, err)
	}
	if b, err := os.ReadFile(media); err != nil || string(b) != `packets of c1, {"limit":"2s","bytes":65536}` {
		t.Errorf("%q %v", b, err)
	}
	if info, err := os.Stat(media); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := os.Stat(media + "2"); err == nil {
		t.Error("a refused capture has left a file")
	}
}

func TestTailForPeople(t *testing.T) {
	server := httptest.NewServer(whole(""))
	defer server.Close()
	status, out, err := try("tail", "--count", "1", "--json=false", "--type", "recording.*,call.start", "--api", server.URL)
	if status != 0 || !strings.Contains(out, "call.start") || !strings.Contains(out, "sip:?[2Ja@x") || strings.Contains(out, "\x1b") {
		t.Errorf("%d %q %s", status, out, err)
	}
	if status, _, err := try("tail", "--api", "127.0.0.1:1"); status != 1 || !strings.Contains(err, "no proxy answers") {
		t.Errorf("%d %s", status, err)
	}
}

// A token from the environment or a file, never an option; a unix socket needs none.
func TestHowTheAPIIsReached(t *testing.T) {
	const secret = "s3cret-0123456789"
	server := httptest.NewServer(whole(secret))
	defer server.Close()
	t.Setenv("SIDETRACK_API", server.URL)
	if status, _, err := try("srs"); status != 1 || !strings.Contains(err, "SIDETRACK_TOKEN") {
		t.Errorf("without: %d %s", status, err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, err := try("srs", "--token-file", file); status != 0 {
		t.Errorf("by file: %s", err)
	}
	t.Setenv("SIDETRACK_TOKEN", secret)
	if status, _, err := try("srs"); status != 0 {
		t.Errorf("by environment: %s", err)
	}
	if status, _, err := try("srs", "--token-file", file+"x"); status != 1 || !strings.Contains(err, "--token-file") {
		t.Errorf("no file: %d %s", status, err)
	}
	if status, _, err := try("srs", "--ca", file); status != 1 || !strings.Contains(err, "holds no certificate") {
		t.Errorf("no authority: %d %s", status, err)
	}
	socket := filepath.Join(t.TempDir(), "api.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	local := &http.Server{Handler: whole("")}
	go local.Serve(ln)
	defer local.Shutdown(context.Background())
	if status, out, err := try("srs", "--api", "unix://"+socket); status != 0 || !strings.Contains(out, "main") {
		t.Errorf("by socket: %s", err)
	}
	if status, _, err := try("srs", "--api", "unix://"+socket+"x"); status != 1 || !strings.Contains(err, "no proxy answers at unix://") {
		t.Errorf("no socket: %d %s", status, err)
	}
}

// The scripts of all shells are well-formed, as far as the shells are here; bash completes with this one.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		status, script, err := try("completion", shell)
		if status != 0 || !strings.Contains(script, "ladder") || strings.Contains(script, "@COMMANDS@") {
			t.Fatalf("%s: %d %s", shell, status, err)
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue
		}
		check := exec.Command(shell, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v %s", shell, err, out)
		}
	}
	completesIn(t, "fish", "complete -C 'sidetrack rec'", "recorder\nrecordings")
	completesIn(t, "zsh", `compadd() { print -rl -- ${(P)2} }; words=(sidetrack completion ""); CURRENT=3; _sidetrack`, "bash\nzsh\nfish")
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash here")
	}
	_, script, _ := try("completion", "bash")
	for words, want := range map[string]string{"sidetrack re": "recorder recordings resume rules reload", "sidetrack completion z": "zsh", "sidetrack help lad": "ladder"} {
		if strings.HasSuffix(words, " re") {
			want = strings.Replace(want, "rules ", "", 1)
		}
		cmd := exec.Command("bash", "-c", script+fmt.Sprintf("\nCOMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _sidetrack; echo ${COMPREPLY[@]}", words))
		out, err := cmd.Output()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %q %v, want %s", words, out, err, want)
		}
	}
}

// Ids and options come from the program and, through it, from the API, in every shell that is here.
func TestCompletionAsksTheProxy(t *testing.T) {
	t.Setenv("SIDETRACK_API", asShown(t))
	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	// What the program says, without starting it for each word.
	program := fmt.Sprintf("#!/bin/sh\ncat '%s'/\"$*\"\n", bin)
	if err := os.WriteFile(filepath.Join(bin, "sidetrack"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"calls --json", "recordings --json", "srs --json", "mask --help", "unmask --help", "start --help", "enable --help", "pause --help", "ladder --help", "check --help"} {
		status, out, err := try(strings.Fields(args)...)
		if status != 0 {
			t.Fatalf("sidetrack %s: %s", args, err)
		}
		if err := os.WriteFile(filepath.Join(bin, args), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const bash = "COMP_WORDS=(sidetrack %s); COMP_CWORD=2; _sidetrack; echo ${COMPREPLY[@]}; "
	const fish = "complete -C 'sidetrack %s'; "
	const zsh = "words=(sidetrack %s); CURRENT=3; _sidetrack; "
	for shell, rows := range map[string][][3]string{ // how it is asked, words, answer
		"bash": {{bash, "pause ''", "r-1 r_2"}, {bash, "unmask r_", "r_2"}, {bash, "recordings ''", "r-1 r_2"}, {bash, "ladder ''", "c1"},
			{bash, "drain ''", "main/0 other/11"}, {bash, "enable o", "other/11"}, {bash, "mask --t", "--token-file --tracks"}, {bash, "start --r", "--recorder"}},
		"fish": {{fish, "unmask r", "r-1\nr_2"}, {fish, "ladder c", "c1"}, {fish, "enable o", "other/11"}, {fish, "mask --tr", "--tracks"},
			{fish, "pause r", "r-1\nr_2"}, {fish, "help lad", "ladder"}, {fish, "check r", "r.script"}, {fish, "ladder --pcap r", "r.script"}},
		"zsh": {{"compadd() { print -rl -- ${(P)2} }; " + zsh, `mask ""`, "r-1\nr_2"}, {zsh, `capture ""`, "c1"}, {zsh, `enable ""`, "main/0\nother/11"},
			{zsh, "pause --", "--api\n--ca\n--certificate\n--json\n--key\n--limit\n--token-file"}},
	} {
		var do, want []string
		for _, row := range rows {
			do, want = append(do, strings.Replace(row[0], "%s", row[1], 1)), append(want, row[2])
		}
		completesIn(t, shell, strings.Join(do, ""), strings.Join(want, "\n"))
	}
}

// asShown is an API whose lists are what the proxy's own types make of them, so that another order of their fields is
// another order here.
func asShown(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	for path, items := range map[string]any{
		"calls":      []b2bua.View{{ID: "c1", From: `sip:"id":"x"@y`}},
		"recordings": []src.View{{ID: "r-1", CallID: "c1"}, {ID: "r_2", CallID: "c1"}},
		"srs":        []src.SRSView{{Recorder: "main"}, {Recorder: "other", Index: 11}},
	} {
		mux.HandleFunc("GET /api/v1/"+path, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(map[string]any{"items": items}); err != nil {
				t.Error(err)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// completesIn sources the script of a shell that is here, as its users do, and has it complete.
func completesIn(t *testing.T, shell, do, want string) {
	t.Helper()
	if _, err := exec.LookPath(shell); err != nil {
		return
	}
	_, script, _ := try("completion", shell)
	dir := t.TempDir()
	file := filepath.Join(dir, "r.script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	if shell == "zsh" {
		do = "autoload -Uz compinit; compinit -u -d " + file + ".dump; source " + file + "; " + do
	} else {
		do = "source " + file + "; " + do
	}
	cmd := exec.Command(shell, "-c", do)
	cmd.Dir = dir // what else lies there is completed, too
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "ZDOTDIR="+dir)
	out, err := cmd.Output()
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%s: %q %v, want %q", shell, out, err, want)
	}
}

// docs/cli.md tells of every command with its arguments, its sentence and its options, as --help does, and of no other.
func TestHelpIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	paper := string(b)
	for _, c := range commands() {
		_, help, _ := try(c.name, "--help")
		if !strings.Contains(paper, strings.TrimSpace("`sidetrack "+c.name+" "+c.args)+"`") {
			t.Errorf("docs/cli.md lacks `sidetrack %s %s`", c.name, c.args)
		}
		if !strings.Contains(paper, c.help) {
			t.Errorf("docs/cli.md does not say of %s: %s", c.name, c.help)
		}
		for _, m := range regexp.MustCompile(`(?m)^  (--[a-z-]+)`).FindAllStringSubmatch(help, -1) {
			if !strings.Contains(paper, "`"+m[1]) {
				t.Errorf("docs/cli.md does not tell of %s of %s", m[1], c.name)
			}
		}
	}
	for _, m := range regexp.MustCompile("`sidetrack ([a-z]+)").FindAllStringSubmatch(paper, -1) {
		if m[1] == "help" {
			continue
		}
		if _, _, err := try("help", m[1]); strings.Contains(err, "no command") {
			t.Errorf("docs/cli.md tells of a command %s", m[1])
		}
	}
}
