package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	floodWindow = time.Second
	floodLimit  = 20 // lines of one message per window, of one call or, from a warning on, of none
	maxTexts    = 64 // messages told apart in a window; a constant of the program each, but for those of libraries
	maxTold     = 16 // of those, told of at its end
	otherTexts  = "other messages"
)

// floodGate keeps a log from being filled, by a peer which misbehaves at full speed
// or by more calls than anybody reads of. What it lets through in a second is, in
// this order:
//
//  1. of each message floodLimit lines of one call; and as many outside of calls from
//     warnings on, which is where strangers are told of;
//  2. of each message, whomever it is about, a quarter of the rate (log.rate);
//  3. of all, the rate; information ends at eight tenths of it and warnings at nine,
//     so that errors have room.
//
// What is left out is counted, and told at the end of the second, one line for each
// message. Debug lines pass: who asks for them wants them all.
type floodGate struct {
	slog.Handler
	flood *flood // of the whole log
	call  string // of one call: what names it; else ""
}

func newFloodGate(h slog.Handler, style *logStyle) *floodGate {
	return &floodGate{Handler: h, flood: &flood{style: style, out: h}}
}

// Handle implements slog.Handler.
func (g *floodGate) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && !g.flood.pass(r.Level, r.Message, g.about(r), time.Now()) {
		return nil
	}
	return g.flood.write(ctx, g.Handler, r)
}

// about is what names the call of a line, "" when it is about none. A line of a call begins with our id of it; a
// Call-ID that it has somewhere may be a stranger's, who has as many as he likes.
func (g *floodGate) about(r slog.Record) (call string) {
	call = g.call
	r.Attrs(func(a slog.Attr) bool {
		if call == "" && a.Key == "call" {
			call = a.Value.String()
		}
		return false
	})
	return call
}

// WithAttrs implements slog.Handler.
func (g *floodGate) WithAttrs(attrs []slog.Attr) slog.Handler {
	bound := &floodGate{g.Handler.WithAttrs(attrs), g.flood, g.call}
	for _, a := range attrs {
		if bound.call == "" && (a.Key == "call" || a.Key == "sip_call_id") {
			bound.call = a.Value.String()
		}
	}
	return bound
}

// WithGroup implements slog.Handler.
func (g *floodGate) WithGroup(name string) slog.Handler {
	return &floodGate{g.Handler.WithGroup(name), g.flood, g.call}
}

// flood bounds what the whole log takes in a window.
type flood struct {
	style *logStyle
	out   slog.Handler // for what is told of floods
	lost  atomic.Int64 // lines that nobody took, not yet told

	mu     sync.Mutex
	since  time.Time
	lines  int // written in this window
	by     map[string]*text
	calls  map[line]int // of these, the lines of each call, and from warnings on those of none
	timing bool         // tell is going to be called
}

// line is a message about a call, or about none.
type line struct{ call, message string }

// text is one message of the program.
type text struct {
	level   slog.Level
	passed  int // in this window
	leftOut int // since it was last told
}

// pass tells whether a line is written, and counts it out if not.
func (f *flood) pass(level slog.Level, message, call string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.since) >= floodWindow {
		f.turn(now)
	}
	t := f.text(level, message)
	if f.room(level, t) && f.few(level, line{call, message}) {
		t.passed++
		f.lines++
		return true
	}
	t.leftOut++
	f.style.dropped.WithLabelValues(levelName(level)).Inc()
	if !f.timing {
		f.timing = true
		time.AfterFunc(f.since.Add(floodWindow).Sub(now), f.tell)
	}
	return false
}

// room tells whether the rate leaves any for a line of that level.
func (f *flood) room(level slog.Level, t *text) bool {
	rate := int(f.style.rate.Load())
	if rate == 0 {
		return true
	}
	share := rate
	switch {
	case level < slog.LevelWarn:
		share = rate * 8 / 10
	case level < slog.LevelError:
		share = rate * 9 / 10
	}
	return f.lines < share && t.passed < max(rate/4, 1)
}

// few tells whether a call may have another line of the message, and counts it.
func (f *flood) few(level slog.Level, l line) bool {
	if l.call == "" && level < slog.LevelWarn {
		return true // ours
	}
	if f.calls[l] >= floodLimit {
		return false
	}
	f.calls[l]++
	return true
}

func (f *flood) text(level slog.Level, message string) *text {
	t := f.by[message]
	if t == nil && len(f.by) >= maxTexts {
		message = otherTexts
		t = f.by[message]
	}
	if t == nil {
		t = &text{level: level}
		f.by[message] = t
	}
	t.level = max(t.level, level)
	return t
}

// turn begins a window. What has not been told of the last one stays.
func (f *flood) turn(now time.Time) {
	f.since, f.lines, f.calls = now, 0, map[line]int{}
	kept := map[string]*text{}
	for message, t := range f.by {
		if t.leftOut > 0 {
			t.passed, kept[message] = 0, t
		}
	}
	f.by = kept
}

// tell writes what was left out, each message once.
func (f *flood) tell() {
	now := time.Now()
	f.mu.Lock()
	told := f.by
	f.by = nil
	f.turn(now)
	f.timing = false
	told = worst(told)
	f.lines = len(told) // they count
	f.mu.Unlock()
	for _, message := range slices.Sorted(maps.Keys(told)) {
		t := told[message]
		r := slog.NewRecord(now, t.level, "more like this", 0)
		r.AddAttrs(slog.String("message", message), slog.Int("lines", t.leftOut))
		_ = f.write(context.Background(), f.out, r) // there is nobody else to tell
	}
}

// write has a line written. One that nobody takes is counted, and told of with the next one
// that somebody does.
func (f *flood) write(ctx context.Context, h slog.Handler, r slog.Record) error {
	err := h.Handle(ctx, r)
	switch {
	case errors.Is(err, errBehind):
		f.lost.Add(1)
		f.style.dropped.WithLabelValues(levelName(r.Level)).Inc()
	case f.lost.Load() > 0:
		told := slog.NewRecord(r.Time, slog.LevelWarn, "lines are lost: nobody took the log", 0)
		n := f.lost.Swap(0)
		told.AddAttrs(slog.Int64("lines", n))
		if f.out.Handle(ctx, told) != nil {
			f.lost.Add(n)
		}
	}
	return err
}

// worst are the texts of which most was left out; the others become one.
func worst(by map[string]*text) map[string]*text {
	maps.DeleteFunc(by, func(_ string, t *text) bool { return t.leftOut == 0 })
	if len(by) <= maxTold {
		return by
	}
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(cmp.Compare(by[b].leftOut, by[a].leftOut), cmp.Compare(a, b))
	})
	told, rest := map[string]*text{}, &text{}
	for i, name := range names {
		if t := by[name]; i < maxTold-1 && name != otherTexts {
			told[name] = t
		} else {
			rest.leftOut += t.leftOut
			rest.level = max(rest.level, t.level)
		}
	}
	told[otherTexts] = rest
	return told
}

// levelName is a level as a label of metrics.
func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		l = slog.LevelError
	case l >= slog.LevelWarn:
		l = slog.LevelWarn
	default:
		l = slog.LevelInfo
	}
	return strings.ToLower(l.String())
}
