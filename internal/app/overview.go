package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/api"
	"sidetrack/metadata"
	"sidetrack/src"
)

// overview is what the page shows: the system in numbers, and some calls whole.
type overview struct {
	Time       time.Time      `json:"time"`
	Version    string         `json:"version"`
	NotReady   string         `json:"not_ready,omitempty"` // why no new calls are taken
	Calls      int            `json:"calls"`
	Matching   int            `json:"matching"` // of them, the search holds for
	Recordings map[string]int `json:"recordings"`
	Items      []overviewCall `json:"items"`
	SRSs       []src.SRSView  `json:"srs"`
	Lately     []src.View     `json:"lately,omitempty"` // recordings that ended and are not whole, the newest first
}

// overviewCall is a call with its recordings, live and ended.
type overviewCall struct {
	b2bua.View
	Recordings []src.View `json:"recordings"`
}

// briefs is the list of all calls, shared by all pages that ask at about the same time.
type briefs struct {
	turn chan struct{} // capacity 1: held while calls are asked, and while the rest is looked at
	at   time.Time
	list []b2bua.Brief // newest first; never changed
}

// briefsKept is how old the list may be.
const briefsKept = time.Second

func (b *briefs) get(ctx context.Context, calls *b2bua.Server) ([]b2bua.Brief, error) {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if time.Since(b.at) < briefsKept {
		return b.list, nil
	}
	list, err := calls.Briefs(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(list)
	b.list, b.at = list, time.Now()
	return list, nil
}

// matching are the calls that a search finds.
func matching(calls []b2bua.Brief, search string) []b2bua.Brief {
	word := strings.ToLower(search)
	if word == "" {
		return calls
	}
	var found []b2bua.Brief
	for _, c := range calls {
		if strings.Contains(strings.ToLower(strings.Join([]string{c.From, c.To, c.SIPCallID, c.Route, string(c.State), c.ID}, "\n")), word) {
			found = append(found, c)
		}
	}
	return found
}

// showOverview costs a short look at all calls, once a second whoever asks, and a
// whole one at those of the page. It does not touch the journal: the page asks
// every few seconds.
func (a *App) showOverview(ctx context.Context, q api.OverviewQuery) (any, error) {
	calls, err := a.briefs.get(ctx, a.calls)
	if err != nil {
		return nil, err
	}
	out := overview{
		Time: time.Now().UTC(), Version: a.opt.Version, Calls: len(calls), Recordings: a.recorder.States(),
		Items: []overviewCall{}, SRSs: a.recorder.SRSs(),
	}
	if err := a.ready(); err != nil {
		out.NotReady = err.Error()
	}
	if q.Lately > 0 {
		out.Lately = a.recorder.Lately(q.Lately)
	}
	calls = matching(calls, q.Search)
	if q.Recording != "" {
		with := a.recorder.CallsWith(metadata.RecordingState(q.Recording))
		calls = slices.DeleteFunc(slices.Clone(calls), func(c b2bua.Brief) bool { return !with[c.ID] })
	}
	out.Matching = len(calls)
	ids := q.IDs
	if ids == nil {
		calls = calls[min(q.Page*q.Limit, len(calls)):]
		for _, c := range calls[:min(q.Limit, len(calls))] {
			ids = append(ids, c.ID)
		}
	}
	views, err := a.calls.Views(ctx, ids)
	if err != nil {
		return nil, err
	}
	recordings := a.recorder.RecordingsOf(ids)
	for _, id := range ids {
		v, live := views[id]
		if !live {
			continue // it has ended since
		}
		delete(views, id) // asked for twice
		item := overviewCall{View: v, Recordings: recordings[id]}
		if item.Recordings == nil {
			item.Recordings = []src.View{}
		}
		out.Items = append(out.Items, item)
	}
	if out.SRSs == nil {
		out.SRSs = []src.SRSView{}
	}
	return out, nil
}
