package app

import (
	"sidetrack/internal/config"
	"sidetrack/src"
)

// Act is something that a party has done.
func (a *App) Act(act src.Action) { a.onAction(act) }

// ReloadBySteps is Reload with between called before the first of its steps that put cfg in force,
// and after each.
func (a *App) ReloadBySteps(cfg *config.Config, between func()) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	changes, err := a.prepare(cfg)
	if err != nil {
		return err
	}
	between()
	for _, step := range steps(changes) {
		step()
		between()
	}
	return nil
}
