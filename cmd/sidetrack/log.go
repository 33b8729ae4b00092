package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// logStyle is how a log is written; it may change while it is.
type logStyle struct {
	level slog.LevelVar
	json  atomic.Bool
}

func newLogStyle(l slog.Level, format string) *logStyle {
	s := &logStyle{}
	s.set(l, format)
	return s
}

func (s *logStyle) set(l slog.Level, format string) {
	s.level.Set(l)
	s.json.Store(format == "json")
}

// logHandler writes log lines to w as text or JSON, floods held back.
func logHandler(w io.Writer, style *logStyle) slog.Handler {
	opts := &slog.HandlerOptions{Level: &style.level}
	w = &lineWriter{w: w}
	return newFloodGate(&either{slog.NewTextHandler(w, opts), slog.NewJSONHandler(w, opts), style}, time.Now)
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

const (
	floodLimit  = 20 // lines of one message per window
	floodWindow = time.Second
)

// floodGate lets each message through so many times in a window and counts the
// rest, so that a peer which misbehaves at full speed cannot fill a disk with
// one complaint; the count is told by the next line of that message that
// passes. The lines of each call are counted for themselves: a call that was
// accepted always leaves its record. Info lines outside of calls are our own.
type floodGate struct {
	slog.Handler
	tally *tally
	call  bool // of one call
}

// tally is shared by all loggers of one call, and by those of none.
type tally struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*flood // by message: a constant of the program, so few
}

type flood struct {
	since   time.Time
	passed  int
	leftOut int
}

func newFloodGate(h slog.Handler, now func() time.Time) *floodGate {
	return &floodGate{Handler: h, tally: newTally(now)}
}

func newTally(now func() time.Time) *tally { return &tally{now: now} }

// Handle implements slog.Handler.
func (g *floodGate) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo || r.Level < slog.LevelWarn && !g.call {
		return g.Handler.Handle(ctx, r)
	}
	pass, leftOut := g.tally.pass(r.Message)
	if !pass {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", leftOut))
	}
	return g.Handler.Handle(ctx, r)
}

// pass tells whether the message may be written, and how often it was not
// since it last was.
func (t *tally) pass(message string) (ok bool, leftOut int) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.by[message]
	if f == nil {
		if t.by == nil {
			t.by = map[string]*flood{}
		}
		f = &flood{since: now}
		t.by[message] = f
	}
	if now.Sub(f.since) >= floodWindow {
		f.since, f.passed = now, 0
	}
	if f.passed == floodLimit {
		f.leftOut++
		return false, 0
	}
	f.passed++
	leftOut, f.leftOut = f.leftOut, 0
	return true, leftOut
}

// WithAttrs implements slog.Handler. A logger that is bound to a call has a
// tally of its own, which goes away with it.
func (g *floodGate) WithAttrs(attrs []slog.Attr) slog.Handler {
	bound := &floodGate{&lateAttrs{parent: g.Handler, attrs: attrs}, g.tally, g.call}
	for _, a := range attrs {
		if !g.call && (a.Key == "call" || a.Key == "sip_call_id") {
			bound.tally, bound.call = newTally(g.tally.now), true
			break
		}
	}
	return bound
}

// WithGroup implements slog.Handler.
func (g *floodGate) WithGroup(name string) slog.Handler {
	return &floodGate{g.Handler.WithGroup(name), g.tally, g.call}
}

// lateAttrs formats the attributes of a logger when its first line is written:
// each call has several loggers, and most of them never say a word.
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
