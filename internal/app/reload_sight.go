package app

import (
	"sidetrack/internal/config"
	"sidetrack/internal/store"
)

// changeJournal is the file of verdicts. A recording that runs has its end in the
// new one.
func (a *App) changeJournal(cfg *config.Config) (change, error) {
	a.journal.leaving.Wait() // a file may come back
	if now := a.journal.current(); now != nil && now.File() == cfg.Journal.File {
		return change{swap: func() { now.Bound(cfg.Journal.MaxAge, cfg.Journal.MaxSize) }, undo: func() {}}, nil
	}
	next, err := a.openStore(cfg.Journal)
	if err != nil {
		return change{}, err
	}
	swap := func() {
		before := a.journal.replace(next)
		a.journal.leaving.Go(func() { a.leave(before) })
	}
	return change{swap: swap, undo: func() { a.leave(next) }}, nil
}

func (a *App) leave(s *store.Store) {
	if err := closeStore(s); err != nil {
		a.log.Error("closing a journal that is not written any more", "file", s.File(), "error", err)
	}
}

// changeSight is what is told of calls: messages kept, mirrored, spans, and what
// the log may say.
func (a *App) changeSight(cfg *config.Config) (change, error) {
	homer, err := receiver(cfg.HEP)
	if err != nil {
		return change{}, err
	}
	spans, err := collector(cfg.Tracing, a.opt.Version)
	if err != nil {
		return change{}, err
	}
	return change{swap: func() {
		a.tracer.Resize(cfg.SIP.Trace)
		a.mirror.Redirect(homer)
		a.spans.Redirect(spans)
		a.redacted.Store(cfg.Log.Redact)
	}, undo: func() {}}, nil
}
