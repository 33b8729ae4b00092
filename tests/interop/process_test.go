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

const patience = 30 * time.Second

// eventually asks again and again until the condition holds; false when it does not within that time.
func eventually(within time.Duration, holds func() bool) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(within); time.Now().Before(end); <-tick.C {
		if holds() {
			return true
		}
	}
	return holds()
}

// unable skips the test with its reason; in CI it fails it.
func unable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// need asks for programs.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			unable(t, "%s is not installed", p)
		}
	}
}

// root asks for the superuser: raw sockets of SIPp's pcap play, captures, namespaces.
func root(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		unable(t, "needs root")
	}
}

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("SIDETRACK_BIN"); bin != "" {
		return filepath.Abs(bin)
	}
	bin := filepath.Join(os.TempDir(), fmt.Sprintf("sidetrack-interop-%d", os.Getpid()))
	out, err := exec.Command("go", "build", "-o", bin, "sidetrack/cmd/sidetrack").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := build(); err == nil && os.Getenv("SIDETRACK_BIN") == "" {
		os.Remove(bin)
	}
	os.Exit(code)
}

func program(t *testing.T) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// process is a program that runs beside the test; it is ended with the test.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
	err  error
}

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

// start runs a program in that network namespace ("" for ours).
func start(t *testing.T, name, namespace string, args ...string) *process {
	t.Helper()
	if namespace != "" {
		args = append([]string{"ip", "netns", "exec", namespace}, args...)
	}
	p := &process{t: t, name: name, cmd: exec.Command(args[0], args[1:]...), out: &output{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	evidence := evidenceOf(t)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	evidence.programs = append(evidence.programs, p)
	t.Cleanup(func() {
		evidence.tell()
		p.end()
	})
	return p
}

// end asks the program to stop and waits; one that does not is killed.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	grace := patience
	if p.t.Failed() { // what it would wait for, such as an answer of what has ended before it, says nothing
		grace = 3 * time.Second
	}
	select {
	case <-p.done:
		return
	case <-time.After(grace):
	}
	text := fmt.Sprintf("%s does not stop on SIGTERM; its threads wait in %s", p.name, p.threads())
	if p.t.Failed() {
		p.t.Log(text)
	} else {
		failed(p.t, "%s", text)
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}

// wait awaits the program's own end and gives its exit status.
func (p *process) wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		fatal(p.t, "%s still runs after %v", p.name, within)
		return -1
	}
}

// say awaits a text in the program's output.
func (p *process) say(text string) {
	p.t.Helper()
	if !eventually(patience, func() bool { return strings.Contains(p.out.String(), text) }) {
		fatal(p.t, "%s never said %q", p.name, text)
	}
}
