//go:build interop

package interop_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// phone is one baresip with its control connection.
type phone struct {
	t       *testing.T
	name    string
	dir     string
	conn    net.Conn
	process *process
	done    chan struct{}

	mu     sync.Mutex
	events map[string]int
	lines  []string  // what it told, with the time
	fresh  time.Time // when its registration was last refreshed
}

// newPhone starts a phone that registers nowhere.
func newPhone(t *testing.T, namespace, name string, port int, hertz float64) *phone {
	t.Helper()
	return newPhoneAs(t, namespace, name, port, hertz, fmt.Sprintf("<sip:%s@%s:%d>;regint=0", name, inside, port))
}

// newPhoneAs starts one with that account.
func newPhoneAs(t *testing.T, namespace, name string, port int, hertz float64, account string) *phone {
	t.Helper()
	return newPhoneIn(t, namespace, name, port, hertz, account, nil)
}

// newPhoneIn has a certificate with its key, for TLS.
func newPhoneIn(t *testing.T, namespace, name string, port int, hertz float64, account string, certificate []byte) *phone {
	t.Helper()
	p := &phone{t: t, name: name, dir: t.TempDir(), events: map[string]int{}, done: make(chan struct{})}
	tls := ""
	if certificate != nil {
		p.write("phone.pem", certificate)
		tls = "sip_certificate " + p.dir + "/phone.pem"
	}
	p.write("tone.wav", tone(hertz, 120))
	modules, err := exec.Command("sh", "-c", "dpkg -L baresip-core | grep /g711.so").Output()
	if err != nil {
		unable(t, "baresip's modules are not found: %v", err)
	}
	control := net.JoinHostPort(inside, strconv.Itoa(port+1000))
	p.write("config", fmt.Appendf(nil, `sip_listen %[1]s:%[2]d
audio_source aufile,%[3]s/tone.wav
audio_player aubridge,%[4]s
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports %[5]d-%[6]d
rtcp_mux yes
snd_path %[3]s
%[9]s
ctrl_tcp_listen %[7]s
module_path %[8]s
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module_tmp uuid.so
module_tmp account.so
module_app ctrl_tcp.so
module_app menu.so
`, inside, port, p.dir, name, port+4000, port+4100, control, filepath.Dir(strings.TrimSpace(string(modules))), tls))
	p.write("accounts", []byte(account+";answermode=auto;audio_codecs=PCMU,PCMA\n"))
	p.write("contacts", nil)
	evidence := evidenceOf(t)
	evidence.phones = append(evidence.phones, p)
	p.process = start(t, "baresip "+name, namespace, "baresip", "-f", p.dir)
	if !eventually(patience, func() bool { p.conn, err = net.Dial("tcp", control); return err == nil }) {
		fatal(t, "%s has no control connection: %v", name, err)
	}
	go p.listen()
	t.Cleanup(func() {
		evidence.tell()
		p.conn.Close()
		<-p.done
	})
	return p
}

func (p *phone) write(name string, content []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// listen counts the events that come as netstrings of JSON.
func (p *phone) listen() {
	defer close(p.done)
	r := bufio.NewReader(p.conn)
	for {
		size, err := r.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
		if err != nil {
			return
		}
		b := make([]byte, n+1) // with the comma
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		var event struct {
			Type, Param, Data string
			OK                *bool
		}
		if json.Unmarshal(b[:n], &event) != nil {
			continue
		}
		now := time.Now()
		p.mu.Lock()
		p.events[event.Type]++
		switch {
		case event.Type == "REGISTER_OK":
			p.fresh = now
			fallthrough
		case event.Type != "":
			p.lines = append(p.lines, fmt.Sprintf("%s %s %s", now.UTC().Format(clockFormat), event.Type, event.Param))
		case event.OK != nil:
			p.lines = append(p.lines, fmt.Sprintf("%s answer, ok: %v %s", now.UTC().Format(clockFormat), *event.OK, strings.TrimSpace(event.Data)))
		}
		p.mu.Unlock()
	}
}

// clockFormat is that of the programs' logs.
const clockFormat = "15:04:05.000"

// told is all that the phone told and was asked for.
func (p *phone) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

func (p *phone) command(name, params string) {
	p.t.Helper()
	p.mu.Lock()
	p.lines = append(p.lines, fmt.Sprintf("%s <- %s %s", time.Now().UTC().Format(clockFormat), name, params))
	p.mu.Unlock()
	text := fmt.Sprintf(`{"command":%q,"params":%q,"token":"t"}`, name, params)
	if _, err := fmt.Fprintf(p.conn, "%d:%s,", len(text), text); err != nil {
		fatal(p.t, "%s: %s: %v", p.name, name, err)
	}
}

// event waits until that event has come n times.
func (p *phone) event(name string, n int) {
	p.t.Helper()
	if !eventually(patience, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.events[name] >= n }) {
		fatal(p.t, "%s: no %s number %d; events %v", p.name, name, n, p.counts())
	}
}

func (p *phone) counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.events)
}

// hears looks into what the phone decoded.
func (p *phone) hears(hertz float64) {
	p.t.Helper()
	files, _ := filepath.Glob(filepath.Join(p.dir, "dump-*-dec.wav"))
	total := 0.0
	for _, file := range files {
		samples, rate := wave(p.t, file)
		total += heard(samples, rate, hertz)
	}
	if total < 0.5 { // baresip begins the file anew at each change
		p.t.Errorf("%s heard the other's tone for %.1f s", p.name, total)
	}
}
