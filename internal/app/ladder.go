package app

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"sidetrack/b2bua"
	"sidetrack/internal/api"
	"sidetrack/internal/trace"
	"sidetrack/src"
)

// pastCalls is how many ended calls are remembered by our id.
const pastCalls = 4096

// past knows the Call-IDs of calls that have ended lately.
type past struct {
	mu    sync.Mutex
	ids   map[string][2]string // the second is "" where both legs have the first
	order []string             // a ring
	next  int
}

func (p *past) add(c b2bua.Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.ids, p.order = map[string][2]string{}, make([]string, pastCalls)
	}
	delete(p.ids, p.order[p.next])
	p.ids[c.ID], p.order[p.next] = [2]string{c.SIPCallID, c.LegCallID}, c.ID
	p.next = (p.next + 1) % pastCalls
}

func (p *past) get(id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := p.ids[id]
	return slices.DeleteFunc(ids[:], func(id string) bool { return id == "" })
}

func callIDs(v b2bua.View) []string {
	ids := []string{v.SIPCallID}
	for _, l := range v.Legs {
		if l.SIPCallID != "" && !slices.Contains(ids, l.SIPCallID) {
			ids = append(ids, l.SIPCallID)
		}
	}
	return ids
}

// ladder is what was said about a call, live or ended lately: its legs and the
// dialogs with its SRSs.
func (a *App) ladder(ctx context.Context, id string, redact bool) (api.Ladder, error) {
	call, live, err := a.calls.Call(ctx, id)
	if err != nil {
		return nil, err
	}
	ids := a.past.get(id)
	if live {
		ids = callIDs(call)
	}
	servers := map[string]string{}
	for _, r := range a.recorder.Recordings() {
		if r.CallID != id {
			continue
		}
		ids = append(ids, r.Call.SIPCallID)
		servers[r.SIPCallID] = "SRS of " + r.Recorder
		for _, t := range r.Attempts {
			servers[t.SIPCallID] = "SRS of " + r.Recorder
		}
	}
	delete(servers, "")
	for sip := range servers {
		ids = append(ids, sip)
	}
	if len(ids) == 0 {
		return nil, apiError(fmt.Errorf("call %s: %w", id, src.ErrNotFound))
	}
	l := a.tracer.Ladder(redact, ids...)
	if len(l.Messages) == 0 {
		return nil, refusal{fmt.Errorf("no messages of call %s are kept (sip.trace)", id), api.ErrNotFound}
	}
	l.Name(servers)
	return drawn{id, l}, nil
}

// drawn is a ladder in the words of the API.
type drawn struct {
	id string
	trace.Ladder
}
