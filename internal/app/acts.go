package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sidetrack/internal/api"
	"sidetrack/internal/outbox"
	"sidetrack/src"
)

// maxActs is how many control actions of parties and SRSs may wait for the disk.
const maxActs = 4096

var errActsFull = errors.New("too many control actions at once")

// openActs begins to write down what parties and SRSs do.
func (a *App) openActs() {
	a.acts = outbox.Open(maxActs, func(ctx context.Context, acts <-chan *api.Action) {
		for act := range acts {
			if ctx.Err() != nil {
				return
			}
			a.http.Audit(*act)
		}
	})
}

func (a *App) closeActs() error {
	if a.acts == nil {
		return nil
	}
	return within(time.Second, "http.audit", func(ctx context.Context) error {
		a.acts.Close(ctx)
		return nil
	})
}

// onAction has an action written down as those over HTTP are. It is called on a
// lane, so it does not wait.
func (a *App) onAction(act src.Action) {
	if a.acts == nil { // a proxy that is not real
		return
	}
	out := &api.Action{
		Time: act.Time.UTC(), Who: act.Who, Role: act.Role, Source: act.Door, Action: string(act.Action) + "Recording",
		Target: "/api/v1/recordings/" + act.Recording, Call: act.CallID, Status: http.StatusOK,
	}
	switch {
	case act.Recording != "":
	case act.CallID != "":
		out.Target = "/api/v1/calls/" + act.CallID
	default:
		out.Target = "/api/v1/calls"
	}
	if act.Err != nil {
		out.Status, out.Detail = http.StatusConflict, act.Err.Error()
	}
	if !a.acts.Put(out) {
		a.http.Unaudited(errActsFull)
	}
}
