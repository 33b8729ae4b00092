//go:build interop

package interop_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// site is sidetrack with its recorder on one address.
type site struct {
	t    *testing.T
	ip   string
	dir  string // the recorder's output
	file string // the proxy's configuration
	http string

	proxy, recorder *process
}

// home is a loopback address of this run: two runs on one machine do not meet.
func home(n int) string { return fmt.Sprintf("127.50.%d.%d", os.Getpid()%250+1, n) }

// The ports of a site; its callers and PBX have others.
const (
	proxyPort = 5060
	srsPort   = 5090
	httpPort  = 8080
)

// newSite starts both on ip, in that namespace, with the calls routed to that URI.
func newSite(t *testing.T, namespace, ip, route string) *site {
	t.Helper()
	return newSiteWith(t, namespace, ip, route, "")
}

// newSiteWith has more keys below sip, each on a line of its own, and more sockets.
func newSiteWith(t *testing.T, namespace, ip, route, keys string, listeners ...string) *site {
	t.Helper()
	more := ""
	for _, l := range listeners {
		more += fmt.Sprintf(", %q", l)
	}
	return newSiteOf(t, namespace, ip, siteKeys{sip: keys, listeners: more, routes: fmt.Sprintf("  - to: %q\n", route)})
}

// token is for the API of a site.
const token = "interop-tests-may-do-it"

// siteKeys are parts of a site's configuration.
type siteKeys struct {
	sip       string // more lines below sip
	listeners string // more of them, each behind a comma
	routes    string // the list
	recorder  string // more keys of the recorder, each behind a comma
	journal   string // its file; none when empty
	srs       string // the list of SRSs; the site's own recorder when empty
	recorders string // more of them, each a line
	rules     string // the list of who is recorded; everything at main when empty
	ports     string // of media; 20000-29999 when empty
	media     string // more lines below media
	tokens    string // more of them, each behind a comma
	more      string // more sections
}

// newSiteOf starts both with that configuration.
func newSiteOf(t *testing.T, namespace, ip string, keys siteKeys) *site {
	t.Helper()
	s := &site{t: t, ip: ip, dir: t.TempDir(), http: fmt.Sprintf("http://%s:%d", ip, httpPort)}
	if keys.srs == "" {
		keys.srs = fmt.Sprintf("sip:%s:%d;transport=tcp", ip, srsPort)
	}
	if keys.rules == "" {
		keys.rules = "  - recorder: main\n"
	}
	if keys.ports == "" {
		keys.ports = "20000-29999"
	}
	yaml := fmt.Sprintf(`
sip:
  listen: ["udp://%[1]s:%[2]d", "tcp://%[1]s:%[2]d"%[3]s]
  trusted: [127.0.0.0/8, 10.77.0.0/16, 10.78.0.0/16]
  drain: 1s
%[6]s
routes:
%[7]s
media:
  listen: %[1]s
  ports: %[12]s
%[13]s
recorders:
  main: {srs: "%[4]s"%[8]s}
%[14]s
recording:
%[15]s
http: {listen: "%[1]s:%[5]d", tokens: [{name: tests, role: admin, token: %[9]s}%[16]s]}
journal: {file: "%[10]s"}
%[11]s
log: {level: info, format: text}
`, ip, proxyPort, keys.listeners, keys.srs, httpPort, keys.sip, keys.routes, keys.recorder, token, keys.journal, keys.more,
		keys.ports, keys.media, keys.recorders, keys.rules, keys.tokens)
	s.file = filepath.Join(t.TempDir(), "sidetrack.yaml")
	if err := os.WriteFile(s.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.recorder = newRecorder(t, namespace, ip, srsPort, s.dir)
	s.serve(namespace)
	return s
}

// newRecorder starts a recorder of its own on both transports of that address.
func newRecorder(t *testing.T, namespace, ip string, port int, dir string) *process {
	t.Helper()
	p := start(t, fmt.Sprintf("recorder at %d", port), namespace, program(t), "recorder", "--out", dir,
		"--listen", fmt.Sprintf("udp://%s:%d", ip, port), "--listen", fmt.Sprintf("tcp://%s:%d", ip, port))
	p.say("ready")
	return p
}

// serve starts the proxy, for the first time or again.
func (s *site) serve(namespace string) {
	s.t.Helper()
	s.proxy = start(s.t, "sidetrack", namespace, program(s.t), "serve", "--config", s.file)
	evidenceOf(s.t).add(s)
	if !eventually(patience, func() bool { return s.status("/readyz") == http.StatusOK }) {
		fatal(s.t, "sidetrack does not become ready")
	}
}

func (s *site) get(path string) (int, []byte) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequest(http.MethodGet, s.http+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token) // the namespace is not this host
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, body
}

func (s *site) status(path string) int {
	status, _ := s.get(path)
	return status
}

// sum is the sum of a metric's series whose labels hold the given ones.
func (s *site) sum(name string, labels ...string) float64 {
	_, body := s.get("/metrics")
	return peer.MetricSum(body, name, labels...)
}

// calls is how many calls the API shows.
func (s *site) calls() int {
	_, body := s.get("/api/v1/calls")
	var page struct{ Items []json.RawMessage }
	if json.Unmarshal(body, &page) != nil {
		return -1
	}
	return len(page.Items)
}

// recording is what the embedded recorder wrote of one session.
type recording struct {
	dir      string
	CallID   string `json:"call_id"`
	Complete bool
	Reason   string
	Seconds  float64
	Problems []string
	Parties  []struct{ AOR string }
	Streams  []struct {
		Label, Party, Codec, File string
		Packets, Lost, Duplicate  uint64
		Seconds                   float64
		Pauses                    []struct{ From, To float64 }
	}
}

// recordings reads every recording.json that is there.
func (s *site) recordings() []recording {
	s.t.Helper()
	names, _ := filepath.Glob(filepath.Join(s.dir, "*", "recording.json"))
	var all []recording
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			s.t.Error(err)
			continue
		}
		r := recording{dir: filepath.Dir(name)}
		if json.Unmarshal(b, &r) == nil && r.Reason != "" {
			all = append(all, r)
		}
	}
	return all
}

// awaitRecordings waits for n that have ended.
func (s *site) awaitRecordings(n int) []recording {
	s.t.Helper()
	if !eventually(patience, func() bool { return len(s.recordings()) >= n }) {
		failed(s.t, "%d recordings have ended, %d should", len(s.recordings()), n)
	}
	return s.recordings()
}
