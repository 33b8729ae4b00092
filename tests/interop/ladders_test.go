//go:build interop

package interop_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// path is how a call goes: the caller's network, the callee's, and what SIPp drops.
type path struct {
	name           string
	caller, callee string // udp, tcp or tls
	lost           int    // per cent of what either SIPp sends and receives
}

var paths = []path{
	{"UDP", "udp", "udp", 0}, {"TCP", "tcp", "tcp", 0}, {"TLS", "tls", "tls", 0},
	{"UDP to TCP", "udp", "tcp", 0}, {"TLS to UDP", "tls", "udp", 0}, {"UDP, 5 % lost", "udp", "udp", 5},
}

// TestLadders runs every flow of sipp/flows between two SIPps through sidetrack, over each network. Both sides must see
// exactly their ladder, and afterwards no call is left. It prints the table of docs/interop.md.
func TestLadders(t *testing.T) {
	need(t, "sipp")
	flows := loadFlows(t)
	ip := home(20)
	id := newIdentity(t, ip)
	s := newSiteWith(t, "", ip, "request-uri", fmt.Sprintf("  tls: {certificate: %s, key: %s, ca: %s}", id.cert, id.key, id.cert),
		fmt.Sprintf("tls://%s:%d", ip, tlsPort))
	dir := os.Getenv("SIPP_XML")
	if dir == "" {
		dir = t.TempDir()
	}
	type job struct {
		flow, path int
	}
	jobs := make(chan job)
	results := make([][]string, len(flows))
	for i := range results {
		results[i] = make([]string, len(paths))
	}
	var workers sync.WaitGroup
	only := os.Getenv("FLOW")
	for n := range 6 {
		r := ladderRun{t: t, site: s, ip: home(21 + n), id: id}
		workers.Go(func() {
			for j := range jobs {
				results[j.flow][j.path] = r.tries(flows[j.flow], paths[j.path], dir)
			}
		})
	}
	for _, f := range flows {
		f.write(t, dir)
	}
	for i, f := range flows {
		for p, by := range paths {
			switch {
			case only != "" && !strings.Contains(f.name, only), by.lost > 0 && !f.lossy:
				results[i][p] = "–"
			default:
				jobs <- job{i, p}
			}
		}
	}
	close(jobs)
	workers.Wait()
	if !eventually(patience, func() bool { return s.calls() == 0 }) {
		t.Errorf("%d calls are left", s.calls())
	}
	if n := s.sum("sidetrack_sip_rejected_total", `reason="panic"`); n != 0 {
		t.Errorf("%v panics", n)
	}
	table := ladderTable(flows, results)
	t.Log("\n" + table)
	for i, f := range flows {
		for p := range paths {
			if r := results[i][p]; r != "pass" && r != "–" {
				t.Errorf("%s, %s: %s", f.name, paths[p].name, r)
			}
		}
	}
	if os.Getenv("UPDATE") != "" && !t.Failed() && only == "" {
		writeTable(t, table)
	}
}

const tlsPort = 5061

// ladderRun is one worker: addresses of its own, flows one after the other.
type ladderRun struct {
	t    *testing.T
	site *site
	ip   string
	id   identity
}

const callsPerFlow = 3

// tries runs one flow up to three times: SIPp gives up a call when a message reaches it before it came to send its own,
// which happens on a machine that is busy. What is wrong with the flow itself is wrong each time.
func (r ladderRun) tries(f flow, by path, dir string) string {
	var result string
	for range 3 {
		if result = r.play(f, by, dir); result == "pass" {
			break
		}
		r.t.Logf("%s, %s: %.300s", f.name, by.name, result)
	}
	return result
}

// play runs one flow by one path and says "pass" or what went wrong.
func (r ladderRun) play(f flow, by path, dir string) string {
	base := strings.Trim(fileName.ReplaceAllString(strings.ToLower(f.name), "_"), "_")
	work, err := os.MkdirTemp(r.t.TempDir(), "run")
	if err != nil {
		return err.Error()
	}
	callee, uri := r.ip+":5080", r.ip+":5080"
	switch by.callee {
	case "tcp":
		uri += ";transport=tcp"
	case "tls":
		uri = unwrapped(r, callee) + ";transport=tls"
	}
	proxy := fmt.Sprintf("%s:%d", r.site.ip, proxyPort)
	if by.caller == "tls" {
		proxy = wrapped(r, fmt.Sprintf("%s:%d", r.site.ip, tlsPort))
	}
	common := func(side, port, network string) []string {
		mode := "u1"
		if network != "udp" {
			mode = "t1"
		}
		args := []string{"-sf", filepath.Join(dir, base+"_"+side+".xml"), "-i", r.ip, "-mi", r.ip, "-p", port, "-mp", "1" + port, "-t", mode, "-nostdin",
			"-m", fmt.Sprint(callsPerFlow), "-r", "50", "-s", "callee", "-key", "callee", uri, "-timeout", "25s", "-recv_timeout", "15000",
			"-trace_err", "-error_file", filepath.Join(work, side+".log")}
		args = append(args, unhurried...)
		if by.lost > 0 {
			args = append(args, "-lost", fmt.Sprint(by.lost))
		}
		return args
	}
	var said [2]bytes.Buffer
	uas := exec.Command("sipp", common("callee", "5080", by.callee)...)
	uac := exec.Command("sipp", append([]string{proxy}, common("caller", "5070", by.caller)...)...)
	uas.Stdout, uac.Stdout = &said[0], &said[1]
	if err := uas.Start(); err != nil {
		return err.Error()
	}
	defer func() {
		_ = uas.Process.Signal(syscall.SIGKILL)
		_ = uas.Wait()
	}()
	if !listening(callee, by.callee) {
		return "the callee does not listen"
	}
	callerErr := uac.Run()
	ended := make(chan error, 1)
	go func() { ended <- uas.Wait() }()
	var calleeErr error
	select {
	case calleeErr = <-ended:
	case <-time.After(20 * time.Second):
		calleeErr = fmt.Errorf("does not end")
	}
	if callerErr == nil && calleeErr == nil {
		return "pass"
	}
	return fmt.Sprintf("caller %v%s; callee %v%s", callerErr, complaint(filepath.Join(work, "caller.log")),
		calleeErr, complaint(filepath.Join(work, "callee.log")))
}

// complaint is SIPp's first error of a run.
func complaint(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(string(b), "\n")
	return ": " + strings.Join(lines[:min(len(lines), 12)], " ¶ ")
}

// listening awaits the callee's socket: what is bound cannot be bound again.
func listening(at, network string) bool {
	return eventually(patience, func() bool {
		if network == "udp" {
			b, _ := os.ReadFile("/proc/net/udp")
			return strings.Contains(string(b), procAddress(at))
		}
		b, _ := os.ReadFile("/proc/net/tcp")
		return strings.Contains(string(b), procAddress(at)+" 00000000:0000 0A")
	})
}

// listens waits for the UDP socket of a program in a namespace.
func (p *process) listens(at string) {
	p.t.Helper()
	if !eventually(patience, func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", p.cmd.Process.Pid))
		return strings.Contains(string(b), procAddress(at))
	}) {
		p.t.Fatalf("%s does not listen", p.name)
	}
}

// procAddress is an IPv4 address and port as the kernel lists it.
func procAddress(at string) string {
	var a, b, c, d, port int
	_, _ = fmt.Sscanf(at, "%d.%d.%d.%d:%d", &a, &b, &c, &d, &port)
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", d, c, b, a, port)
}

var (
	tunnels   sync.Mutex
	tunnelFor = map[string]string{}
)

func once(name string, make func() string) string {
	tunnels.Lock()
	defer tunnels.Unlock()
	if at, ok := tunnelFor[name]; ok {
		return at
	}
	tunnelFor[name] = make()
	return tunnelFor[name]
}

// unwrapped is where TLS for a callee arrives, wrapped where a caller's TCP becomes TLS: one tunnel per worker. The
// certificate is that of the site, by whose address the tunnels listen.
func unwrapped(r ladderRun, callee string) string {
	return once("to "+callee, func() string { return unwrap(r.t, r.id, r.site.ip, callee) })
}

func wrapped(r ladderRun, server string) string {
	return once(r.ip, func() string { return wrap(r.t, r.id, r.ip, server) })
}

func ladderTable(flows []flow, results [][]string) string {
	var b strings.Builder
	b.WriteString("| flow | from |")
	for _, p := range paths {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(paths)) + "\n")
	for i, f := range flows {
		fmt.Fprintf(&b, "| %s | %s |", f.name, f.rfc)
		for _, r := range results[i] {
			if r != "pass" && r != "–" {
				r = "FAIL"
			}
			b.WriteString(" " + r + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// writeTable puts the table into docs/interop.md.
func writeTable(t *testing.T, table string) {
	t.Helper()
	const file, begin, end = "../../docs/interop.md", "<!-- flows -->\n", "<!-- end of flows -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	if err := os.WriteFile(file, []byte(head+begin+"\n"+table+"\n"+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
