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
		for _, command := range []string{"check", "serve"} {
			want := "sidetrack " + command + ": there is no sidetrack.yaml and no /etc/sidetrack/sidetrack.yaml; --config names another file\n"
			if status, out, log := try(command); status != 1 || out != "" || log != want {
				t.Errorf("none there: %d %s %s", status, out, log)
			}
		}
	}
	if err := os.WriteFile("sidetrack.yaml", []byte(goodYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, log := try("check"); status != 0 {
		t.Errorf("%d %s %s", status, out, log)
	}
}

// A signal that comes while the configuration is being read waits, and the service manager hears when calls are taken, and
// when no more are.
func TestTheStart(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", at)
	hears := func(want string) {
		t.Helper()
		b := make([]byte, 100)
		manager.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := manager.Read(b); err != nil || string(b[:n]) != want {
			t.Errorf("%q, %v; wanted %s", b[:n], err, want)
		}
	}
	path := filepath.Join(dir, "slow.yaml")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	var out, log output
	status := make(chan int, 1)
	go func() { status <- run([]string{"serve", "--config", path}, stdio{&out, &log}) }()
	for n := range 2 {
		f, err := os.OpenFile(path, os.O_WRONLY, 0) // when somebody reads it
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			signal(syscall.SIGHUP)
		}
		if _, err := f.WriteString(goodYAML); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if n == 0 {
			hears("READY=1")
		}
	}
	until(t, &log, "configuration reloaded")
	signal(syscall.SIGTERM)
	hears("STOPPING=1")
	if s := <-status; s != 0 {
		t.Errorf("%d\n%s", s, &log)
	}
}
