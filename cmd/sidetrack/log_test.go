package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestFloodsAreHeldBack(t *testing.T) {
	now := time.Unix(1000, 0)
	var out output
	log := slog.New(newFloodGate(slog.NewTextHandler(&out, nil), func() time.Time { return now }))
	count := func(says string) int { return strings.Count(out.String(), says) }
	for range 1000 {
		log.Warn("junk", "remote", "x")
		log.With("listener", "l").Error("worse")
		log.Info("ours")
	}
	if count("msg=junk") != floodLimit || count("msg=worse") != floodLimit || count("msg=ours") != 1000 {
		t.Errorf("%d, %d, %d lines", count("msg=junk"), count("msg=worse"), count("msg=ours"))
	}
	now = now.Add(floodWindow)
	log.Warn("junk")
	if !strings.Contains(out.String(), "msg=junk left_out=980\n") {
		t.Errorf("the rest is not told:\n%s", out.String()[len(out.String())-200:])
	}
	// Each call keeps its record, and cannot write more than its share.
	for i := range 100 {
		call := log.With("call", fmt.Sprint(i))
		call.Warn("call not recorded")
		for range 100 {
			call.With("recording", "r").WithGroup("g").Info("request refused")
		}
	}
	if count("call not recorded") != 100 || count("request refused") != 100*floodLimit {
		t.Errorf("%d records, %d refusals", count("call not recorded"), count("request refused"))
	}
}

func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{"json": `"msg":"x"`, "text": "msg=x"} {
		var out output
		log := slog.New(logHandler(&out, newLogStyle(slog.LevelWarn, format)))
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
	style := newLogStyle(slog.LevelWarn, "text")
	call := slog.New(logHandler(&out, style)).With("call", "c1").WithGroup("g").With("n", 1)
	call.Warn("first")
	style.set(slog.LevelInfo, "json")
	call.Info("second", "m", 2)
	style.set(slog.LevelInfo, "text")
	call.Info("third")
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[0], "level=WARN msg=first call=c1 g.n=1") || !strings.HasSuffix(lines[1], `"msg":"second","call":"c1","g":{"n":1,"m":2}}`) ||
		!strings.HasSuffix(lines[2], "msg=third call=c1 g.n=1") || len(lines) != 4 {
		t.Errorf("%s", out.String())
	}
}
