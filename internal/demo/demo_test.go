package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func options(t *testing.T) demo.Options {
	return demo.Options{Out: t.TempDir(), Calls: 1, Length: 4 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

// The shortest demo, with part of its ports taken by others and a folder that
// holds something already: a whole recording past a refusing SRS.
func TestDemo(t *testing.T) {
	for _, port := range []int{10000, 10005, 10008, 11000, 11003, 11006} {
		if c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err == nil {
			defer c.Close()
		}
	}
	opt := options(t)
	var mu sync.Mutex
	var phases []string
	opt.Progress = func(s demo.Status) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(phases, s.Phase) {
			phases = append(phases, s.Phase)
		}
	}
	old := filepath.Join(opt.Out, "old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := demo.Run(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || len(r.Recordings) != 1 {
		b, _ := r.JSON()
		t.Fatalf("not recorded whole:\n%s", b)
	}
	rec := r.Recordings[0]
	if rec.Caller != "1001" || rec.Callee != "2001" || rec.Documents < 3 || len(rec.Attempts) != 2 {
		t.Errorf("%+v", rec)
	}
	for _, name := range []string{"1.wav", "2.wav", "metadata.xml", "metadata-1.xml", "metadata-2.xml", "recording.json"} {
		if !slices.Contains(rec.Files(), filepath.Join(rec.Folder, name)) {
			t.Errorf("no %s in %v", name, rec.Files())
		}
	}
	entries, _ := os.ReadDir(opt.Out)
	if len(entries) != 2 {
		t.Errorf("left in %s: %v", opt.Out, entries)
	}
	if !slices.Contains(phases, "talking") || !slices.Contains(phases, "on hold") {
		t.Errorf("phases told: %v", phases)
	}
	var doc map[string]any
	if b, err := r.JSON(); err != nil || json.Unmarshal(b, &doc) != nil || doc["ok"] != true || doc["problems"] == nil {
		t.Errorf("JSON: %v %v", err, doc)
	}
}

// An interrupt ends the demo at once, calls and all.
func TestDemoIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	opt := options(t)
	opt.Length = 10 * time.Minute
	opt.Progress = func(s demo.Status) {
		if s.Heard > 0 {
			interrupt()
		}
	}
	if _, err := demo.Run(ctx, opt); err == nil || err.Error() != "interrupted" {
		t.Errorf("error %v", err)
	}
}

func TestDemoThatCannotRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		change func(*demo.Options)
		says   string
	}{
		{func(o *demo.Options) { o.Calls = 0 }, "calls: 0"},
		{func(o *demo.Options) { o.Calls = 51 }, "calls: 51"},
		{func(o *demo.Options) { o.Length = time.Second }, "seconds: 1 "},
		{func(o *demo.Options) { o.Length = time.Hour }, "seconds: 3600"},
		{func(o *demo.Options) { o.Out = file }, "out: "},
		{func(o *demo.Options) { o.Out = filepath.Join(file, "below") }, "out: "},
	} {
		opt := options(t)
		tt.change(&opt)
		r, err := demo.Run(t.Context(), opt)
		if r != nil || err == nil || !strings.Contains(err.Error(), tt.says) || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", tt.says, err)
		}
	}
}
