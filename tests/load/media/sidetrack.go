//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"sidetrack/tests/load/traffic"
	"sidetrack/tests/peer"
)

// sidetrack is the built program with a small configuration; this process is its
// caller, PBX and SRS.
type sidetrack struct {
	bin, batch string
	copies     int // of each call, as traffic.Config.Copies
	dir        string
	log        *os.File

	caller, pbx, srs *agent
	plan             traffic.Config

	mu       sync.Mutex
	recorded map[int]map[string]bool // by call: the recorders that have it
	dialogs  map[int]dialog
	placed   int
}

// dialog is what ending a call needs.
type dialog struct{ target, to, headers, callID string }

const (
	sipPort, callerPort, pbxPort, srsPort, httpPort = 5060, 5070, 5080, 5090, 8089

	configuration = `sip:
  listen: ["udp://%[1]v:5060"]
  trusted: [127.0.0.0/8]
  drain: 1s
routes:
  - to: sip:%[1]v:5080
media:
  listen: %[1]v
  ports: %[2]s
  batch: %[3]s
http:
  listen: %[1]v:8089
log: {level: warn, format: text}
`
)

// recording is the part of the configuration that has so many copies made of each call: by recorders that take both
// parties, and one that takes the caller alone where the number is odd.
func recording(copies int) string {
	var recorders, rules strings.Builder
	for i := range (copies + 1) / 2 {
		tracks := "both"
		if 2*i+1 == copies {
			tracks = "caller"
		}
		fmt.Fprintf(&recorders, "  load%d:\n    srs: \"sip:r%d@%v:%d;transport=udp\"\n", i, i, host, srsPort)
		fmt.Fprintf(&rules, "  - recorder: load%d\n    tracks: %s\n    continue: true\n", i, tracks)
	}
	if copies == 0 {
		return ""
	}
	return "recorders:\n" + recorders.String() + "recording:\n" + rules.String()
}

func (s *sidetrack) start() (cmd *exec.Cmd, err error) {
	s.recorded, s.dialogs = map[int]map[string]bool{}, map[int]dialog{}
	if s.dir, err = os.MkdirTemp("", "bench-media"); err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "sidetrack.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration+recording(s.copies), host, mediaPorts, s.batch), 0o600); err != nil {
		return nil, err
	}
	for port, a := range map[uint16]**agent{callerPort: &s.caller, pbxPort: &s.pbx, srsPort: &s.srs} {
		if *a, err = newAgent(netip.AddrPortFrom(host, port)); err != nil {
			return nil, err
		}
	}
	go s.pbx.serve(s.asPBX)
	go s.srs.serve(s.asSRS)
	go s.caller.serve(s.asCaller)
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		return nil, err
	}
	cmd = exec.Command(s.bin, "serve", "--config", file)
	cmd.Stderr = s.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ready := fmt.Sprintf("http://%v:%d/readyz", host, httpPort)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(ready); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return cmd, nil
			}
		}
	}
	return nil, errors.Join(errors.New("sidetrack does not get ready"), cmd.Process.Kill())
}

// said is the beginning of what the program has logged.
func (s *sidetrack) said() string {
	b := make([]byte, 2000)
	n, _ := s.log.ReadAt(b, 0)
	return string(b[:n])
}

func (s *sidetrack) close() {
	_ = s.log.Close()
	for _, a := range []*agent{s.caller, s.pbx, s.srs} {
		a.close()
	}
	_ = os.RemoveAll(s.dir)
}

// connect places a call and returns when it is answered and recorded.
func (s *sidetrack) connect(call int, plan traffic.Config) (toCaller, toCallee netip.AddrPort, err error) {
	s.mu.Lock()
	s.plan = plan
	s.placed++
	n := s.placed
	delete(s.recorded, call)
	s.mu.Unlock()
	s.pbx.forget(call)
	proxy := netip.AddrPortFrom(host, sipPort)
	user, callID := fmt.Sprintf("c%d", call), fmt.Sprintf("load-%d", n)
	headers := fmt.Sprintf("Max-Forwards: 70\r\nFrom: <sip:%s@%v>;tag=f%d\r\nCall-ID: %s\r\nContact: <sip:%s@%v>\r\n",
		user, s.caller.at, n, callID, user, s.caller.at)
	target := fmt.Sprintf("sip:%s@%v", user, netip.AddrPortFrom(host, pbxPort))
	answer, err := s.caller.ask(proxy, fmt.Sprintf("INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP %v;branch=z9hG4bK-i%d\r\nTo: <%s>\r\nCSeq: 1 INVITE\r\n%s",
		target, s.caller.at, n, target, headers), description(plan.Party(call, traffic.AB)), callID)
	if err != nil {
		return toCaller, toCallee, err
	}
	d := dialog{peer.URIOf(answer.Get("Contact")), answer.Get("To"), headers, callID}
	s.mu.Lock()
	s.dialogs[call] = d
	s.mu.Unlock()
	s.caller.send(proxy, fmt.Sprintf("ACK %s SIP/2.0\r\nVia: SIP/2.0/UDP %v;branch=z9hG4bK-a%d\r\nTo: %s\r\nCSeq: 1 ACK\r\n%s",
		d.target, s.caller.at, n, d.to, headers), "")
	if toCaller, err = address("the call's answer", answer.SDP()); err != nil {
		return toCaller, toCallee, err
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		s.mu.Lock()
		recorded := len(s.recorded[call])
		s.mu.Unlock()
		if at, ok := s.pbx.offered(call); ok && recorded == plan.Recorders() {
			return toCaller, at, nil
		}
	}
	return toCaller, toCallee, errors.New("the call is not recorded")
}

// hangUp ends a call from the caller's side.
func (s *sidetrack) hangUp(call int) error {
	s.mu.Lock()
	d := s.dialogs[call]
	s.mu.Unlock()
	_, err := s.caller.ask(netip.AddrPortFrom(host, sipPort), fmt.Sprintf("BYE %s SIP/2.0\r\nVia: SIP/2.0/UDP %v;branch=z9hG4bK-b%s\r\nTo: %s\r\nCSeq: 2 BYE\r\n%s",
		d.target, s.caller.at, d.callID, d.to, d.headers), "", d.callID)
	return err
}

// asCaller answers requests within a call.
func (s *sidetrack) asCaller(m *peer.Message) (status, sdp string) { return "200 OK", "" }

var userPattern = regexp.MustCompile(`sip:c(\d+)@`)

// callOf finds the number of the call that a message is about.
func callOf(b []byte) (int, bool) {
	found := userPattern.FindSubmatch(b)
	if found == nil {
		return 0, false
	}
	n, err := strconv.Atoi(string(found[1]))
	return n, err == nil
}

func (s *sidetrack) asPBX(m *peer.Message) (status, sdp string) {
	call, ok := callOf([]byte(m.URI()))
	if m.Method() != "INVITE" || !ok {
		return "200 OK", ""
	}
	at, err := address("the call's offer", m.SDP())
	if err != nil {
		return "400 Bad Request", ""
	}
	s.pbx.note(call, at)
	return "200 OK", description(s.plans().Party(call, traffic.BA))
}

var recorderPattern = regexp.MustCompile(`^sip:r(\d+)@`)

// asSRS takes every recording, as the recorder that the request names: the first m-line is what the caller says.
func (s *sidetrack) asSRS(m *peer.Message) (status, sdp string) {
	call, ok := callOf(m.Body)
	who := recorderPattern.FindStringSubmatch(m.URI())
	if m.Method() != "INVITE" || !ok || who == nil {
		return "200 OK", ""
	}
	recorder, _ := strconv.Atoi(who[1])
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recorded[call] == nil {
		s.recorded[call] = map[string]bool{}
	}
	s.recorded[call][who[1]] = true
	at := []netip.AddrPort{s.plan.RecorderOf(recorder, call, traffic.AB)}
	if s.plan.Copied(recorder, traffic.BA) {
		at = append(at, s.plan.RecorderOf(recorder, call, traffic.BA))
	}
	return "200 OK", receiving(at...)
}

func (s *sidetrack) plans() traffic.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan
}
