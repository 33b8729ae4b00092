package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"sidetrack/internal/recorder"
)

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func runRecorder(args []string, std stdio) error {
	fs := flags("recorder", std)
	var listen list
	fs.Var(&listen, "listen", "SIP socket, udp://host:port or tcp://host:port; may be repeated (default udp and tcp on 127.0.0.1:5090)")
	out := fs.String("out", "recordings", "folder that gets one folder per recording session")
	advertise := fs.String("advertise", "", "address shown in SIP and SDP (default: the socket's own)")
	ports := fs.String("ports", "30000-39999", "range of the RTP ports")
	level := fs.String("log", "info", "debug, info, warn or error")
	format := fs.String("log-format", "text", "text or json")
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if len(listen) == 0 {
		listen = list{"udp://127.0.0.1:5090", "tcp://127.0.0.1:5090"}
	}
	var low, high int
	if n, err := fmt.Sscanf(*ports, "%d-%d", &low, &high); err != nil || n != 2 {
		return fmt.Errorf("--ports %q: write a range such as 30000-39999", *ports)
	}
	var min slog.Level
	if err := min.UnmarshalText([]byte(*level)); err != nil {
		return fmt.Errorf("--log %q: write debug, info, warn or error", *level)
	}
	log := slog.New(logHandler(*format, std, min))
	srs, err := recorder.New(recorder.Config{Listen: listen, Advertise: *advertise, Out: *out, PortMin: low, PortMax: high, Log: log})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := srs.Start(); err != nil {
		return err
	}
	log.Info("ready", "uris", strings.Join(srs.URIs(), " "), "out", *out)
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return srs.Close(last)
}
