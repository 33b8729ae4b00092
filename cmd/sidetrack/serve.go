package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
	"sidetrack/internal/store"
)

// Where the configuration is looked for when none is named.
var configPlaces = []string{"sidetrack.yaml", "/etc/sidetrack/sidetrack.yaml"}

const configHelp = "configuration `FILE`; ./sidetrack.yaml, then /etc/sidetrack/sidetrack.yaml when not given"

// configFile is the file that was named, else the first that is there; "": none is.
func configFile(named string) string {
	if named != "" {
		return named
	}
	for _, p := range configPlaces {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

// load reads a file, and finds what this host lacks to serve it unless it is for elsewhere.
func load(file string, elsewhere bool, std stdio) (*config.Config, error) {
	if file == "" {
		return nil, fmt.Errorf("there is no %s; --config names another file", strings.Join(configPlaces, " and no "))
	}
	cfg, problems := config.Load(file, os.LookupEnv)
	if len(problems) == 0 && !elsewhere {
		problems = unmet(cfg)
	}
	if len(problems) > 0 {
		fmt.Fprintln(std.err, problems)
		return nil, errShown
	}
	return cfg, nil
}

// unmet is what keeps this host from serving cfg; what is doubtful joins its warnings.
func unmet(cfg *config.Config) config.Problems {
	missing, doubtful := cfg.Unmet(store.Examine)
	cfg.Warnings = append(cfg.Warnings, doubtful...)
	return missing
}

func check(args []string, std stdio) error {
	fs := flags("check")
	file := fs.String("config", "", configHelp)
	elsewhere := fs.Bool("elsewhere", false, "the file is for another host: do not look for its folders and addresses on this one")
	var try rehearsal
	try.register(fs)
	if err := options(fs, args, std); err != nil {
		return err
	}
	if err := try.alone(); err != nil {
		return err
	}
	cfg, err := load(configFile(*file), *elsewhere || try.file != "", std)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(std.err, "warning:", w)
	}
	if try.file != "" {
		return try.run(cfg, std)
	}
	cfg.Describe(std.out)
	return nil
}

func serve(args []string, std stdio) error {
	fs := flags("serve")
	file := fs.String("config", "", configHelp)
	if err := options(fs, args, std); err != nil {
		return err
	}
	// From here on a signal is not lost, and ends nothing by itself: it waits until the start is over.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	defer signal.Stop(signals)
	path := configFile(*file)
	cfg, err := load(path, false, std)
	if err != nil {
		return err
	}
	style := newLogStyle(cfg.Log)
	out := newBacklog(std.err)
	defer out.close()
	log := slog.New(logHandler(out, style))
	v, commit := build()
	asked := make(chan chan<- error) // by the API
	hasten()
	a, err := app.New(cfg, app.Options{Log: log, Version: v, Commit: commit, Reload: asking(asked), Collectors: []prometheus.Collector{style.dropped}})
	if err != nil {
		return err
	}
	if err := a.Start(); err != nil {
		return err
	}
	notify("READY=1")
	warn(cfg, log)
	defer collecting()()
	return supervise(a, path, style, log, signals, asked)
}

// warn logs what a configuration holds that is seldom meant.
func warn(cfg *config.Config, log *slog.Logger) {
	for _, w := range cfg.Warnings {
		log.Warn("configuration", "warning", w.String())
	}
}

// service is what supervise looks after: an app.App.
type service interface {
	Reload(*config.Config) error
	ReloadFailed()
	Stop(ctx context.Context) error
}

var _ service = (*app.App)(nil)

// asking is a reload that supervise carries out.
func asking(asked chan<- chan<- error) func(context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan error, 1)
		select {
		case asked <- done:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var errStopping = errors.New("not reloaded: stopping")

// reloadTime is how long the end waits for a reload that is under way, before a disk is taken to hang.
const reloadTime = time.Second

// supervise turns signals into reload and stop: SIGHUP reloads, the first
// SIGTERM or SIGINT drains, a second one stops at once. asked are reloads that
// somebody waits for. A reload has a goroutine of its own, one at a time, so that a disk that
// hangs holds no signal up.
func supervise(a service, path string, style *logStyle, log *slog.Logger, signals <-chan os.Signal, asked <-chan chan<- error) error {
	ctx, now := context.WithCancel(context.Background())
	defer now()
	var stopped chan error
	var next, running []chan<- error // who waits for a reload, and for the one under way
	reloaded := make(chan error, 1)
	for {
		select {
		case s := <-signals:
			switch {
			case s == syscall.SIGUSR1:
			case s == syscall.SIGHUP && stopped == nil:
				next = append(next, make(chan error, 1)) // the log is told
			case s == syscall.SIGHUP:
				log.Warn(errStopping.Error())
			case stopped == nil:
				log.Info("stopping: no new calls, running ones may finish", "signal", s.String())
				notify("STOPPING=1")
				stopped = make(chan error, 1)
				go func() { stopped <- a.Stop(ctx) }()
			default:
				log.Warn("stopping now", "signal", s.String())
				now()
			}
		case done := <-asked:
			next = append(next, done)
		case err := <-reloaded:
			answer(running, err)
			running = nil
		case err := <-stopped:
			if len(running) > 0 {
				settle(reloaded, reloadTime)
			}
			return err
		}
		switch {
		case stopped != nil:
			answer(next, errStopping)
			next = nil
		case len(running) == 0 && len(next) > 0:
			running, next = next, nil
			go func() { reloaded <- reload(a, path, style, log) }()
		}
	}
}

// answer tells those who wait for a reload how it went; each has room for it.
func answer(waiting []chan<- error, err error) {
	for _, done := range waiting {
		done <- err
	}
}

// settle waits for a reload to end, and to tell the log, unless it hangs.
func settle(reloaded <-chan error, limit time.Duration) {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-reloaded:
	case <-late.C:
	}
}

// reload loads the file again; one with mistakes changes nothing. What went
// wrong is told in the log too.
func reload(a service, path string, style *logStyle, log *slog.Logger) error {
	cfg, problems := config.Load(path, os.LookupEnv)
	if len(problems) == 0 {
		problems = unmet(cfg)
	}
	if len(problems) > 0 {
		a.ReloadFailed()
		for _, p := range problems {
			log.Error("configuration not reloaded", "problem", p.String())
		}
		return app.BadFile(problems)
	}
	if err := a.Reload(cfg); err != nil {
		log.Error("configuration not reloaded", "error", err)
		return err
	}
	style.set(cfg.Log)
	warn(cfg, log)
	return nil
}
