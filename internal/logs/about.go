package logs

import (
	"context"
	"log/slog"
)

// About returns a logger whose lines begin with what subject adds to each. subject is called by whoever writes a line,
// and only then.
func About(log *slog.Logger, subject func(*slog.Record)) *slog.Logger {
	return slog.New(&about{log.Handler(), subject})
}

type about struct {
	slog.Handler
	subject func(*slog.Record)
}

// Handle implements slog.Handler.
func (a *about) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	a.subject(&out)
	r.Attrs(func(attr slog.Attr) bool {
		out.AddAttrs(attr)
		return true
	})
	return a.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler. What is bound now stays, the subject's as they are.
func (a *about) WithAttrs(attrs []slog.Attr) slog.Handler {
	return a.Handler.WithAttrs(append(a.attrs(), attrs...))
}

// WithGroup implements slog.Handler. The subject is outside of the group.
func (a *about) WithGroup(name string) slog.Handler {
	return a.Handler.WithAttrs(a.attrs()).WithGroup(name)
}

// attrs are those of the subject.
func (a *about) attrs() (all []slog.Attr) {
	var r slog.Record
	a.subject(&r)
	r.Attrs(func(attr slog.Attr) bool {
		all = append(all, attr)
		return true
	})
	return all
}
