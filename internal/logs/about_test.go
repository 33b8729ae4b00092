package logs_test

import (
	"bytes"
	"log/slog"
	"testing"

	"sidetrack/internal/logs"
)

// Lines are those of a logger that is bound to the same attributes, as they are when a line is written.
func TestAbout(t *testing.T) {
	var got, want bytes.Buffer
	opts := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}
	srs := ""
	log := logs.About(slog.New(slog.NewTextHandler(&got, opts)), func(r *slog.Record) {
		if r.AddAttrs(slog.String("call", "c1")); srs != "" {
			r.AddAttrs(slog.String("srs", srs))
		}
	})
	bound := slog.New(slog.NewTextHandler(&want, opts)).With("call", "c1")
	say := func(log *slog.Logger) {
		log.Debug("not wanted")
		log.Info("plain")
		log.Warn("with values", "a", 1, "b", "two words", "c", 3, "d", 4, "e", 5, "f", 6)
		log.With("more", true).Info("bound")
		log.WithGroup("g").Info("grouped", "in", 1)
	}
	say(log)
	say(bound)
	srs = "sip:srs"
	say(log)
	say(bound.With("srs", "sip:srs"))
	if got.String() != want.String() {
		t.Errorf("%s\nwant\n%s", &got, &want)
	}
}

// Nobody is asked for what is not written.
func TestSilenceIsFree(t *testing.T) {
	log := logs.About(slog.New(slog.DiscardHandler), func(*slog.Record) { t.Error("asked") })
	log.Error("nobody hears it", "a", 1)
}
