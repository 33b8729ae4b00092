package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// until waits for a line of a running command.
func until(t *testing.T, o *output, says string) {
	t.Helper()
	for began := time.Now(); !strings.Contains(o.String(), says); {
		if time.Since(began) > time.Minute {
			t.Fatalf("never: %s\n%s", says, o)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// The real thing: it serves until a signal, and ends with 0.
func TestServeAndRecorderEndBySignal(t *testing.T) {
	yaml := strings.Replace(goodYAML, "127.0.0.0/8]", "0.0.0.0/0]", 1)
	for _, args := range [][]string{
		{"serve", "--config", file(t, yaml)},
		{"recorder", "--listen", "udp://127.0.0.1:0", "--listen", "tcp://127.0.0.1:0", "--out", filepath.Join(t.TempDir(), "r"), "--ports", "27100-27199"},
	} {
		var out, log output
		status := make(chan int, 1)
		go func() { status <- run(args, stdio{&out, &log}) }()
		until(t, &log, "msg=ready")
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if s := <-status; s != 0 || out.String() != "" || !strings.Contains(log.String(), "signal=terminated") {
			t.Errorf("%s: %d\n%s%s", args[0], s, &out, &log)
		}
	}
}

// A port in use is one line and status 1.
func TestPortInUseIsOneLine(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	addr := udp.LocalAddr().String()
	config := file(t, strings.Replace(goodYAML, "udp://127.0.0.1:0", "udp://"+addr, 1))
	for _, args := range [][]string{
		{"serve", "--config", config},
		{"recorder", "--listen", "udp://" + addr, "--out", t.TempDir()},
	} {
		status, out, log := try(args...)
		if status != 1 || out != "" || !strings.HasSuffix(log, "listening on udp://"+addr+": address already in use\n") || strings.Count(log, "\n") != 1 {
			t.Errorf("%v: %d\n%s%s", args, status, out, log)
		}
	}
}

func TestConfigIsFoundInItsPlaces(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := configFile("x.yaml"); got != "x.yaml" {
		t.Errorf("named: %s", got)
	}
	if _, err := os.Stat(configPlaces[1]); err != nil {
		if got := configFile(""); got != "sidetrack.yaml" {
			t.Errorf("none there: %s", got)
		}
	}
	if err := os.WriteFile("sidetrack.yaml", []byte(goodYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, log := try("check"); status != 0 {
		t.Errorf("%d %s %s", status, out, log)
	}
}
