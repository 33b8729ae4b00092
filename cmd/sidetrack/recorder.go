package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sidetrack/internal/config"
	"sidetrack/internal/recorder"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func runRecorder(args []string, std stdio) error {
	fs := flags("recorder")
	var listen list
	fs.Var(&listen, "listen", "SIP socket, `URL` udp://host:port or tcp://host:port; may be repeated; both on 127.0.0.1:5090 when not given")
	out := fs.String("out", "recordings", "`DIR` that gets one folder per recording session")
	advertise := fs.String("advertise", "", "`HOST` shown in SIP and SDP; the socket's own when not given")
	ports := fs.String("ports", "30000-39999", "`RANGE` of the RTP ports")
	level := fs.String("log", "info", "`LEVEL`: debug, info, warn or error")
	format := fs.String("log-format", "text", "`FORMAT`: text or json")
	if err := options(fs, args, std); err != nil {
		return err
	}
	if len(listen) == 0 {
		listen = list{"udp://127.0.0.1:5090", "tcp://127.0.0.1:5090"}
	}
	low, high, err := portRange(*ports)
	if err != nil {
		return err
	}
	lines := newBacklog(std.err)
	defer lines.close()
	log, err := logger(*level, *format, lines)
	if err != nil {
		return err
	}
	srs, err := recorder.New(recorder.Config{Listen: listen, Advertise: *advertise, Out: *out, PortMin: low, PortMax: high, Log: log})
	if err != nil {
		return err
	}
	// There is nothing to reload: SIGHUP, a closed terminal, ends it in order too.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	if err := srs.Start(); err != nil {
		return err
	}
	log.Info("ready", "uris", strings.Join(srs.URIs(), " "), "out", *out)
	return attend(srs, log, signals)
}

// attend waits for a signal to stop, then ends all sessions; a second signal
// does not wait for the clients' answers to BYE. Files are finished in any case.
func attend(srs interface{ Close(context.Context) error }, log *slog.Logger, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var closed chan error
	for {
		select {
		case s := <-signals:
			switch {
			case s == syscall.SIGUSR1:
			case closed == nil:
				log.Info("stopping", "signal", s.String())
				closed = make(chan error, 1)
				last, done := context.WithTimeout(ctx, 10*time.Second)
				defer done()
				go func() { closed <- srs.Close(last) }()
			default:
				cancel()
			}
		case err := <-closed:
			return err
		}
	}
}

// portRange reads 30000-39999.
func portRange(s string) (low, high int, err error) {
	first, last, ok := strings.Cut(s, "-")
	low, err1 := strconv.Atoi(first)
	high, err2 := strconv.Atoi(last)
	if !ok || err1 != nil || err2 != nil || low < 1 || high > 65535 || low >= high {
		return 0, 0, fmt.Errorf("--ports %s: write a range such as 30000-39999", s)
	}
	return low, high, nil
}

func logger(level, format string, out io.Writer) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log %s: write debug, info, warn or error", level)
	}
	if format != "text" && format != "json" {
		return nil, fmt.Errorf("--log-format %s: write text or json", format)
	}
	return slog.New(logHandler(out, newLogStyle(config.Log{Level: l, Format: format, Rate: config.DefaultLogRate}))), nil
}
