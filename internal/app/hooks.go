package app

import (
	"fmt"
	"time"

	"sidetrack/internal/api"
	"sidetrack/internal/config"
	"sidetrack/internal/webhook"
)

// hookTime is how long the last events may take to their receivers; what is left
// waits on disk for the next start.
const hookTime = 2 * time.Second

// openHooks begins to tell webhooks of events, first of those left from before.
func (a *App) openHooks() error {
	w := a.cfg.Webhooks
	all, err := hooks(w)
	if err != nil {
		return err
	}
	s, err := webhook.Open(webhook.Config{Hooks: all, Dir: w.Queue, MaxSize: w.MaxSize, UserAgent: a.userAgent(), Log: a.log, Registerer: a.registry})
	if err != nil {
		return fmt.Errorf("webhooks.queue: %w", err)
	}
	a.hooks, a.queue = s, w.Queue
	a.events.Forward(func(e api.Event) {
		if !s.Wants(e.Type) {
			return
		}
		if data := e.JSON(); data != nil {
			s.Publish(e.ID, e.Type, data)
		}
	})
	return nil
}

// hooks are the webhooks of a configuration as the sender takes them.
func hooks(w config.Webhooks) ([]webhook.Hook, error) {
	out := make([]webhook.Hook, 0, len(w.Hooks))
	for _, h := range w.Hooks {
		hook := webhook.Hook{Name: h.Name, URL: h.URL, Secret: h.Secret, Events: h.Events, Timeout: h.Timeout, GiveUp: h.GiveUp}
		if h.CA != "" {
			t, err := loadTLS("webhooks.hooks", &config.TLS{CA: h.CA})
			if err != nil {
				return nil, err
			}
			hook.TLS = t
		}
		out = append(out, hook)
	}
	return out, nil
}

// closeHooks is called when no event is published any more.
func (a *App) closeHooks() error {
	if a.hooks == nil {
		return nil
	}
	return within(hookTime, "webhooks.queue", a.hooks.Close)
}
