package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/api"
	"sidetrack/src"
)

// What the API asks, put to the parts that know.

func sortable(t time.Time) string { return t.UTC().Format("20060102150405.000000000") }

func (a *App) listCalls(ctx context.Context) ([]api.Item, error) {
	calls, err := a.calls.Calls(ctx)
	if err != nil {
		return nil, err
	}
	recordings := a.recordingsByCall()
	items := make([]api.Item, len(calls))
	for i, c := range calls {
		c.Recordings = append(c.Recordings, recordings[c.ID]...)
		items[i] = api.Item{ID: c.ID, Key: sortable(c.Since), Value: c}
	}
	return items, nil
}

func (a *App) oneCall(ctx context.Context, id string) (any, error) {
	c, ok, err := a.calls.Call(ctx, id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, apiError(fmt.Errorf("call %s: %w", id, src.ErrNotFound))
	}
	c.Recordings = append(c.Recordings, a.recordingsByCall()[id]...)
	return c, nil
}

func (a *App) recordingsByCall() map[string][]string {
	ids := map[string][]string{}
	for _, r := range a.recorder.Recordings() {
		ids[r.CallID] = append(ids[r.CallID], r.ID)
	}
	return ids
}

// Recordings are the live and the recently ended recording sessions.
func (a *App) Recordings() []src.View { return a.recorder.Recordings() }

func (a *App) listRecordings(context.Context) ([]api.Item, error) {
	views := a.recorder.Recordings()
	items := make([]api.Item, len(views))
	for i, v := range views {
		items[i] = api.Item{ID: v.ID, Key: sortable(v.Started), Value: v}
	}
	return items, nil
}

func (a *App) oneRecording(_ context.Context, id string) (any, error) {
	v, ok := a.recorder.Recording(id)
	if !ok {
		return nil, apiError(fmt.Errorf("recording %s: %w", id, src.ErrNotFound))
	}
	return v, nil
}

func (a *App) control(ctx context.Context, id, verb string) (any, error) {
	do := map[string]func(context.Context, string) (src.View, error){
		"resume": a.recorder.Resume, "stop": a.recorder.Stop,
	}[verb]
	v, err := do(ctx, id)
	return v, apiError(err)
}

func (a *App) pauseRecording(ctx context.Context, id string, limit time.Duration) (any, error) {
	v, err := a.recorder.PauseFor(ctx, id, limit)
	return v, apiError(err)
}

func (a *App) maskRecording(ctx context.Context, id, tracks string, on bool) (any, error) {
	do := a.recorder.Unmask
	if on {
		do = a.recorder.Mask
	}
	v, err := do(ctx, id, tracks)
	return v, apiError(err)
}

func (a *App) tagRecording(ctx context.Context, id string, req api.TagRequest) (any, error) {
	v, err := a.recorder.Tag(ctx, id, req.Parameters)
	return v, apiError(err)
}

func (a *App) listSRSs(context.Context) ([]api.Item, error) {
	views := a.recorder.SRSs()
	items := make([]api.Item, len(views))
	for i, v := range views {
		items[i] = api.Item{ID: fmt.Sprintf("%s/%d", v.Recorder, v.Index), Key: fmt.Sprintf("%s/%06d", v.Recorder, v.Index), Value: v}
	}
	return items, nil
}

func (a *App) listTargets(context.Context) ([]api.Item, error) {
	views := a.calls.Targets()
	items := make([]api.Item, len(views))
	for i, v := range views {
		items[i] = api.Item{ID: fmt.Sprintf("%s/%d", v.Route, v.Index), Key: fmt.Sprintf("%06d", i), Value: v}
	}
	return items, nil
}

func (a *App) drain(ctx context.Context, recorder string, index int, on bool) (any, error) {
	v, err := a.recorder.Drain(ctx, recorder, index, on)
	if errors.Is(err, src.ErrNotFound) {
		return nil, refusal{fmt.Errorf("recorder %q has no SRS %d", recorder, index), api.ErrNotFound}
	}
	return v, apiError(err)
}

func (a *App) moveRecording(ctx context.Context, id string, req api.MoveRequest) (any, error) {
	v, err := a.recorder.Move(ctx, id, req.SRS)
	return v, apiError(err)
}

func (a *App) startRecording(ctx context.Context, callID string, req api.StartRequest) (any, error) {
	v, err := a.recorder.Start(ctx, callID, src.StartRequest{Recorder: req.Recorder, Name: req.Name, Tracks: req.Tracks,
		Particulars: src.Particulars{Group: req.Group, Headers: req.Headers, Parameters: req.Parameters}})
	return v, apiError(err)
}

// refusal is an error of the recording client with its HTTP meaning.
type refusal struct {
	error
	kind error
}

func (r refusal) Is(target error) bool { return target == r.kind }
func (r refusal) Unwrap() error        { return r.error }

func apiError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, src.ErrNotFound):
		return refusal{err, api.ErrNotFound}
	case errors.Is(err, src.ErrState):
		return refusal{err, api.ErrConflict}
	case errors.Is(err, src.ErrRequest):
		return refusal{err, api.ErrInvalid}
	}
	return err
}

// callEvent is a call's event in the words of the recordings' events.
type callEvent struct {
	Type      string    `json:"type"`
	Time      time.Time `json:"time"`
	DlgID     string    `json:"dlg_id"`
	DlgCallID string    `json:"dlg_callid"`
	From      string    `json:"from"`
	To        string    `json:"to"`
	Reason    string    `json:"reason,omitempty"`
	Code      int       `json:"code,omitempty"`
}

func (a *App) onCallEvent(e b2bua.Event) {
	if e.Type == b2bua.EventStop || e.Type == b2bua.EventFailed {
		a.past.add(e.Call)
		a.mirrorEnd(e.Call)
		a.callSpan(e)
	}
	a.events.Publish(e.Type, callEvent{e.Type, e.Time.UTC(), e.Call.ID, e.Call.SIPCallID, e.Call.From, e.Call.To, e.Reason, e.Status})
}

// targetEvent tells of a target of a route.
type targetEvent struct {
	Type   string    `json:"type"`
	Time   time.Time `json:"time"`
	Route  string    `json:"route"`
	Target string    `json:"target"`
	Code   int       `json:"code"`
}

func (a *App) onTargetEvent(e b2bua.TargetEvent) {
	kind := "target." + string(e.Target.State)
	a.events.Publish(kind, targetEvent{kind, e.Time, e.Target.Route, e.Target.Target, e.Target.Code})
}

func (a *App) onRecordingEvent(e src.Event) { a.events.Publish(e.Type, e) }
