package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/config"
)

// double is a service that tells what is done to it.
type double struct {
	done    chan string
	stopped func(context.Context) error
	refuses error // answer to Reload
}

func (d *double) Reload(*config.Config) error { d.done <- "reload"; return d.refuses }
func (d *double) ReloadFailed()               { d.done <- "reload failed" }
func (d *double) Stop(ctx context.Context) error {
	d.done <- "stop"
	return d.stopped(ctx)
}

// supervised runs supervise over a double.
func supervised(t *testing.T, path string, d *double) (signals chan os.Signal, style *logStyle, log *output, end chan error) {
	t.Helper()
	d.done = make(chan string)
	signals, style, log, end = make(chan os.Signal), newLogStyle(config.Log{Format: "text"}), &output{}, make(chan error, 1)
	go func() { end <- supervise(d, path, style, slog.New(logHandler(log, style)), signals, nil) }()
	return signals, style, log, end
}

func TestSignals(t *testing.T) {
	path := file(t, goodYAML)
	broken := errors.New("broken")
	d := &double{stopped: func(ctx context.Context) error { <-ctx.Done(); return broken }}
	signals, style, log, end := supervised(t, path, d)
	expect := func(want string) {
		t.Helper()
		if got := <-d.done; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	signals <- syscall.SIGUSR1 // nothing
	signals <- syscall.SIGHUP
	expect("reload")
	if err := os.WriteFile(path, []byte(goodYAML+"log: {level: debug}\nlod: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	signals <- syscall.SIGHUP
	expect("reload failed")
	if err := os.WriteFile(path, []byte(goodYAML+"log: {level: debug, format: json}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	signals <- syscall.SIGHUP
	expect("reload")
	for began := time.Now(); style.level.Level() != slog.LevelDebug || !style.json.Load(); {
		if time.Since(began) > time.Minute {
			t.Fatalf("level %v, JSON %v after the reload", style.level.Level(), style.json.Load())
		}
		<-time.After(time.Millisecond)
	}
	signals <- syscall.SIGTERM
	expect("stop")
	signals <- syscall.SIGHUP // refused now
	select {
	case err := <-end:
		t.Fatalf("ended by one signal: %v", err)
	default:
	}
	signals <- syscall.SIGINT
	if err := <-end; err != broken {
		t.Errorf("its result is %v", err)
	}
	for _, says := range []string{"lod: unknown key", "not reloaded: stopping", "stopping now"} {
		if !strings.Contains(log.String(), says) {
			t.Errorf("the log does not say %q:\n%s", says, log)
		}
	}
}

func TestReloadThatIsRefused(t *testing.T) {
	d := &double{refuses: errors.New("no such socket"), stopped: func(context.Context) error { return nil }}
	signals, style, log, end := supervised(t, file(t, goodYAML+"log: {level: debug}\n"), d)
	signals <- syscall.SIGHUP
	<-d.done
	signals <- syscall.SIGTERM
	<-d.done
	if err := <-end; err != nil || style.level.Level() != slog.LevelInfo || !strings.Contains(log.String(), "no such socket") {
		t.Errorf("%v, level %v, log:\n%s", err, style.level.Level(), log)
	}
}

// stuck is a service whose reload hangs on a disk.
type stuck struct {
	double
	free chan struct{}
}

func (s *stuck) Reload(*config.Config) error { <-s.free; return nil }

// A reload that hangs on a disk keeps nobody from stopping the proxy, nor the end waiting for long; those who ask meanwhile
// are answered.
func TestStopWhileAReloadHangs(t *testing.T) {
	path := file(t, goodYAML)
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{double{stopped: func(context.Context) error { return nil }, done: make(chan string, 1)}, make(chan struct{})}
		signals, asked, end, log := make(chan os.Signal, 1), make(chan chan<- error, 1), make(chan error, 1), &output{}
		style := newLogStyle(config.Log{Format: "text"})
		go func() { end <- supervise(s, path, style, slog.New(logHandler(log, style)), signals, asked) }()
		signals <- syscall.SIGHUP
		synctest.Wait()
		waits := make(chan error, 1)
		asked <- waits
		synctest.Wait()
		signals <- syscall.SIGTERM
		time.Sleep(10 * time.Second)
		select {
		case err := <-end:
			if err != nil || <-s.done != "stop" || <-waits != errStopping {
				t.Errorf("%v, %s", err, log)
			}
		default:
			t.Error("it waits for the reload")
		}
		close(s.free)
	})
}

// The recorder ends its sessions on the first signal; a second one does not wait for answers.
type closer struct{ closing chan context.Context }

func (c closer) Close(ctx context.Context) error {
	c.closing <- ctx
	<-ctx.Done()
	return ctx.Err()
}

func TestRecorderSignals(t *testing.T) {
	c, signals, end := closer{make(chan context.Context)}, make(chan os.Signal), make(chan error, 1)
	go func() { end <- attend(c, slog.New(slog.DiscardHandler), signals) }()
	signals <- syscall.SIGUSR1
	signals <- syscall.SIGHUP
	ctx := <-c.closing
	if _, bounded := ctx.Deadline(); !bounded {
		t.Error("the wait for answers has no bound")
	}
	signals <- syscall.SIGTERM
	if err := <-end; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
