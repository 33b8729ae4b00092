// Package logs has loggers of what comes and goes by the thousand, such as calls.
//
// A logger that is bound to attributes ([slog.Logger.With]) holds them, and what handlers make of them, for as long as
// it lives, whether or not it ever says a word. One that is made by [About] holds nothing: its subject is asked for its
// attributes when a line is written.
package logs
