package redact

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
)

// ids are the keys of values that lines are found by.
var ids = []string{"call", "call_id", "sip_call_id", "recording", "session", "version"}

// Handler hides passwords in what it hands to another, and masks numbers while it is on.
type Handler struct {
	inner slog.Handler
	on    *atomic.Bool
}

var _ slog.Handler = Handler{}

// NewHandler returns a handler before inner, which masks numbers while on is true. What
// loggers were bound to before stays as it was then.
func NewHandler(inner slog.Handler, on *atomic.Bool) Handler { return Handler{inner, on} }

// Enabled implements slog.Handler.
func (h Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.inner.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h Handler) Handle(ctx context.Context, r slog.Record) error {
	hide := h.hide()
	if !h.on.Load() && spotless(r) { // nearly every line
		return h.inner.Handle(ctx, r)
	}
	out := slog.NewRecord(r.Time, r.Level, hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(attr(a, hide))
		return true
	})
	return h.inner.Handle(ctx, out)
}

// hide is what is done to each text.
func (h Handler) hide() func(string) string {
	if h.on.Load() {
		return Text
	}
	return Passwords
}

// spotless tells that a line holds no address, and so no password.
func spotless(r slog.Record) bool {
	clean := !strings.Contains(r.Message, "@")
	r.Attrs(func(a slog.Attr) bool {
		if slices.Contains(ids, a.Key) {
			return true
		}
		switch v := a.Value.Resolve(); v.Kind() {
		case slog.KindString:
			clean = clean && !strings.Contains(v.String(), "@")
		case slog.KindAny:
			err, _ := v.Any().(error)
			clean = clean && err != nil && !strings.Contains(err.Error(), "@")
		case slog.KindGroup:
			clean = false
		}
		return clean
	})
	return clean
}

// WithAttrs implements slog.Handler.
func (h Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return Handler{h.inner.WithAttrs(all(attrs, h.hide())), h.on}
}

// WithGroup implements slog.Handler.
func (h Handler) WithGroup(name string) slog.Handler { return Handler{h.inner.WithGroup(name), h.on} }

func all(attrs []slog.Attr, hide func(string) string) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = attr(a, hide)
	}
	return out
}

// attr hides what is to be in a value that is text or becomes it. Numbers as such are amounts.
func attr(a slog.Attr, hide func(string) string) slog.Attr {
	if slices.Contains(ids, a.Key) {
		return a
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, hide(v.String()))
	case slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(all(v.Group(), hide)...)}
	case slog.KindAny:
		return slog.Any(a.Key, anything(v.Any(), hide))
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// anything hides it in what will be written as text; a value without stays
// what it is, so that its form does.
func anything(v any, hide func(string) string) any {
	var s string
	switch v := v.(type) {
	case error:
		s = v.Error()
	case []byte:
		s = string(v)
	case []string:
		out := make([]string, len(v))
		for i := range v {
			out[i] = hide(v[i])
		}
		return out
	default:
		s = fmt.Sprintf("%+v", v)
	}
	if clean := hide(s); clean != s {
		return clean
	}
	return v
}
