//go:build interop

package interop_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two baresip phones talk through sidetrack, in a network namespace (baresip does not start on loopback alone). One
// holds and resumes. Each hears the other's tone, and the recording holds both, each under its own label.
func TestBaresipPhones(t *testing.T) {
	root(t)
	need(t, "baresip", "ip")
	namespace := newNamespace(t)
	s := newSite(t, namespace, inside, fmt.Sprintf("sip:%s:6081", inside))
	anna := newPhone(t, namespace, "anna", 6071, 440)
	ben := newPhone(t, namespace, "ben", 6081, 1000)

	anna.command("dial", fmt.Sprintf("sip:ben@%s:%d", inside, proxyPort))
	anna.event("CALL_ESTABLISHED", 1)
	ben.event("CALL_ESTABLISHED", 1)
	s.awaitCopies(250)
	anna.command("hold", "")
	s.awaitState("paused")
	held := time.Now()
	if !eventually(patience, func() bool { return time.Since(held) > 1500*time.Millisecond }) {
		fatal(t, "the clock stands still")
	}
	anna.command("resume", "")
	s.awaitState("recording")
	s.awaitCopies(s.copies() + 250)
	anna.command("hangup", "")
	anna.event("CALL_CLOSED", 1)
	ben.event("CALL_CLOSED", 1)

	r := s.awaitRecordings(1)[0]
	if !r.Complete || len(r.Problems) > 0 || len(r.Streams) != 2 {
		t.Errorf("recording %+v", r)
	}
	for _, stream := range r.Streams {
		own, other := 440.0, 1000.0
		if stream.Label == "2" {
			own, other = other, own
		}
		samples, rate := wave(t, filepath.Join(r.dir, filepath.Base(stream.File)))
		mine, foreign, quiet := heard(samples, rate, own), heard(samples, rate, other), silent(samples, rate)
		t.Logf("label %s: own tone %.1f s, other %.1f s, silence %.1f s of %.1f", stream.Label, mine, foreign, quiet, stream.Seconds)
		if mine < 4 || foreign > 0 || quiet < 1 {
			t.Errorf("label %s: own tone %.1f s, other %.1f s, silence %.1f s", stream.Label, mine, foreign, quiet)
		}
		if len(stream.Pauses) != 1 {
			t.Errorf("label %s: pauses %v", stream.Label, stream.Pauses)
		}
	}
	anna.hears(1000)
	ben.hears(440)
}

// The namespace has a network of this run: two runs on one machine do not meet.
var (
	inside  = private(1)
	outside = private(254)
)

func private(n int) string { return fmt.Sprintf("10.77.%d.%d", os.Getpid()%250+1, n) }

// devices counts the pairs made; device names an end of the last one.
var devices atomic.Int32

func device(end string) string {
	return fmt.Sprintf("st%d%s%d", os.Getpid()%100000, end, devices.Load())
}

// newNamespace makes a network namespace joined to ours by a veth pair, and removes it with the test.
func newNamespace(t *testing.T) string {
	t.Helper()
	return newNamespaceAt(t, inside, outside)
}

// newNamespaceAt has other addresses for the two ends.
func newNamespaceAt(t *testing.T, inside, outside string) string {
	t.Helper()
	name := fmt.Sprintf("sidetrack-%d", os.Getpid())
	devices.Add(1) // those of the namespace before go when they like
	near, far := device("a"), device("b")
	steps := []string{
		"netns add " + name, "link add " + near + " type veth peer name " + far + " netns " + name,
		"addr add " + outside + "/24 dev " + near, "link set " + near + " up",
		"-n " + name + " addr add " + inside + "/24 dev " + far, "-n " + name + " link set " + far + " up",
		"-n " + name + " link set lo up",
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", near).Run() // at once; with the namespace it would go some time later
		_ = exec.Command("ip", "netns", "del", name).Run()
	})
	for _, step := range steps {
		if out, err := exec.Command("ip", strings.Fields(step)...).CombinedOutput(); err != nil {
			unable(t, "ip %s: %v %s", step, err, out)
		}
	}
	return name
}

// addAddress gives the namespace one more address.
func addAddress(t *testing.T, namespace, ip string) {
	t.Helper()
	dev := device("b")
	if out, err := exec.Command("ip", "-n", namespace, "addr", "add", ip+"/24", "dev", dev).CombinedOutput(); err != nil {
		unable(t, "ip addr add %s: %v %s", ip, err, out)
	}
}

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

// awaitCopies waits until so many packets were copied to the SRS.
func (s *site) awaitCopies(n float64) {
	s.t.Helper()
	if !eventually(patience, func() bool { return s.copies() >= n }) {
		fatal(s.t, "%v packets copied, wanted %v", s.copies(), n)
	}
}

func (s *site) copies() float64 { return s.sum("sidetrack_fork_packets_total") }

// awaitState waits until the only live recording is in that state.
func (s *site) awaitState(state string) {
	s.t.Helper()
	s.awaitStates(state, 1)
}

// awaitStates waits until the live recordings, so many, are all in that state.
func (s *site) awaitStates(state string, n int) {
	s.t.Helper()
	var body []byte
	if !eventually(patience, func() bool {
		_, body = s.get("/api/v1/recordings")
		var page struct{ Items []struct{ State string } }
		if json.Unmarshal(body, &page) != nil {
			return false
		}
		live, fit := 0, 0
		for _, r := range page.Items {
			if r.State != "ended" {
				live++
			}
			if r.State == state {
				fit++
			}
		}
		return live == n && fit == n
	}) {
		fatal(s.t, "the recording does not become %s: %s", state, body)
	}
}

// tone is a WAV file of seconds of a tone at 8 kHz.
func tone(hertz float64, seconds int) []byte {
	samples := 8000 * seconds
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(36+2*samples))...)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint32(b, 8000)
	b = binary.LittleEndian.AppendUint32(b, 16000)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*samples))
	for i := range samples {
		v := int16(12000 * math.Sin(2*math.Pi*hertz*float64(i)/8000))
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return b
}
