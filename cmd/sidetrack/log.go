package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/config"
)

// logStyle is how a log is written; it may change while it is.
type logStyle struct {
	level   slog.LevelVar
	json    atomic.Bool
	rate    atomic.Int64 // lines a second; 0: no limit
	dropped *prometheus.CounterVec
}

func newLogStyle(l config.Log) *logStyle {
	s := &logStyle{dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sidetrack_log_dropped_lines_total", Help: "Lines that the log was spared of a flood, by level.",
	}, []string{"level"})}
	for _, l := range []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		s.dropped.WithLabelValues(levelName(l))
	}
	s.set(l)
	return s
}

func (s *logStyle) set(l config.Log) {
	s.level.Set(l.Level)
	s.json.Store(l.Format == "json")
	s.rate.Store(int64(l.Rate))
}

// logHandler writes log lines to w as text or JSON, floods held back.
func logHandler(w io.Writer, style *logStyle) slog.Handler {
	opts := &slog.HandlerOptions{Level: &style.level, ReplaceAttr: brief}
	w = &lineWriter{w: w}
	return newFloodGate(&either{slog.NewTextHandler(w, opts), slog.NewJSONHandler(w, opts), style}, style)
}

// maxValue is how long a value may be, in bytes: what strangers send, such as a URI, may be as
// long as a message.
const maxValue = 1 << 10

// brief cuts values that are too long, but for our own stacks.
func brief(_ []string, a slog.Attr) slog.Attr {
	var s string
	switch a.Value.Kind() {
	case slog.KindString:
		s = a.Value.String()
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok && err != nil {
			s = err.Error()
		}
	}
	if len(s) <= maxValue || a.Key == "stack" {
		return a
	}
	return slog.String(a.Key, strings.ToValidUTF8(s[:maxValue], "")+"…")
}

// lineWriter keeps the lines of two handlers apart.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lineWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// either is two handlers, of which the style chooses one for each line.
type either struct {
	text, json slog.Handler
	style      *logStyle
}

// Enabled implements slog.Handler.
func (e *either) Enabled(_ context.Context, l slog.Level) bool { return l >= e.style.level.Level() }

// Handle implements slog.Handler.
func (e *either) Handle(ctx context.Context, r slog.Record) error {
	if e.style.json.Load() {
		return e.json.Handle(ctx, r)
	}
	return e.text.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (e *either) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &either{&lateAttrs{parent: e.text, attrs: attrs}, &lateAttrs{parent: e.json, attrs: attrs}, e.style}
}

// WithGroup implements slog.Handler.
func (e *either) WithGroup(name string) slog.Handler {
	return &either{e.text.WithGroup(name), e.json.WithGroup(name), e.style}
}

// lateAttrs formats the attributes of a logger when its first line is written:
// most loggers never say a word.
type lateAttrs struct {
	parent  slog.Handler
	attrs   []slog.Attr
	once    sync.Once
	handler slog.Handler
}

func (l *lateAttrs) get() slog.Handler {
	l.once.Do(func() {
		parent := l.parent
		if p, ok := parent.(*lateAttrs); ok {
			parent = p.get()
		}
		l.handler = parent.WithAttrs(l.attrs)
	})
	return l.handler
}

// Enabled implements slog.Handler.
func (l *lateAttrs) Enabled(ctx context.Context, level slog.Level) bool {
	return l.parent.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (l *lateAttrs) Handle(ctx context.Context, r slog.Record) error { return l.get().Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (l *lateAttrs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lateAttrs{parent: l, attrs: attrs}
}

// WithGroup implements slog.Handler.
func (l *lateAttrs) WithGroup(name string) slog.Handler { return l.get().WithGroup(name) }
