package redact

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
)

// ids are the keys of values that lines are found by.
var ids = []string{"call", "call_id", "sip_call_id", "recording", "session", "version"}

// Handler masks what it hands to another, while it is on.
type Handler struct {
	inner slog.Handler
	on    *atomic.Bool
}

var _ slog.Handler = Handler{}

// NewHandler returns a handler before inner, which masks while on is true. What
// loggers were bound to before stays as it was then.
func NewHandler(inner slog.Handler, on *atomic.Bool) Handler { return Handler{inner, on} }

// Enabled implements slog.Handler.
func (h Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.inner.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h Handler) Handle(ctx context.Context, r slog.Record) error {
	if !h.on.Load() {
		return h.inner.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(attr(a))
		return true
	})
	return h.inner.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if h.on.Load() {
		attrs = all(attrs)
	}
	return Handler{h.inner.WithAttrs(attrs), h.on}
}

// WithGroup implements slog.Handler.
func (h Handler) WithGroup(name string) slog.Handler { return Handler{h.inner.WithGroup(name), h.on} }

func all(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = attr(a)
	}
	return out
}

// attr masks a value that is text or becomes it. Numbers as such are amounts.
func attr(a slog.Attr) slog.Attr {
	if slices.Contains(ids, a.Key) {
		return a
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Text(v.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(all(v.Group())...)}
	case slog.KindAny:
		return slog.Any(a.Key, anything(v.Any()))
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// anything masks what will be written as text; a value without numbers stays
// what it is, so that its form does.
func anything(v any) any {
	var s string
	switch v := v.(type) {
	case error:
		s = v.Error()
	case []byte:
		s = string(v)
	case []string:
		out := make([]string, len(v))
		for i := range v {
			out[i] = Text(v[i])
		}
		return out
	default:
		s = fmt.Sprintf("%+v", v)
	}
	if clean := Text(s); clean != s {
		return clean
	}
	return v
}
