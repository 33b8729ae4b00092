package main

import (
	"log/slog"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"x"`, "text": "msg=x"} {
		var out output
		log := slog.New(logHandler(&out, newLogStyle(config.Log{Level: slog.LevelWarn, Format: format})))
		log.Info("quiet")
		log.Warn("x")
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "quiet") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}

// A reload changes the form of all that is written from then on, by loggers of running calls too.
func TestLogFormatMayChange(t *testing.T) {
	var out output
	style := newLogStyle(config.Log{Level: slog.LevelWarn, Format: "text"})
	call := slog.New(logHandler(&out, style)).With("call", "c1").WithGroup("g").With("n", 1)
	call.Warn("first")
	style.set(config.Log{Format: "json"})
	call.Info("second", "m", 2)
	style.set(config.Log{Format: "text"})
	call.Info("third")
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[0], "level=WARN msg=first call=c1 g.n=1") || !strings.HasSuffix(lines[1], `"msg":"second","call":"c1","g":{"n":1,"m":2}}`) ||
		!strings.HasSuffix(lines[2], "msg=third call=c1 g.n=1") || len(lines) != 4 {
		t.Errorf("%s", out.String())
	}
}
