package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/api"
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
}

// overviewCall is a call with its recordings, live and ended.
type overviewCall struct {
	b2bua.View
	Recordings []src.View `json:"recordings"`
}

// showOverview costs one look at all calls and no look at the journal: the page
// asks every few seconds.
func (a *App) showOverview(ctx context.Context, q api.OverviewQuery) (any, error) {
	calls, err := a.calls.Calls(ctx)
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
	if word := strings.ToLower(q.Search); word != "" {
		calls = slices.DeleteFunc(calls, func(v b2bua.View) bool {
			return !strings.Contains(strings.ToLower(strings.Join([]string{v.From, v.To, v.SIPCallID, v.Route, string(v.State), v.ID}, "\n")), word)
		})
	}
	out.Matching = len(calls)
	slices.Reverse(calls)
	calls = calls[min(q.Page*q.Limit, len(calls)):]
	calls = calls[:min(q.Limit, len(calls))]
	ids := make([]string, len(calls))
	for i, v := range calls {
		ids[i] = v.ID
	}
	recordings := a.recorder.RecordingsOf(ids)
	for _, v := range calls {
		item := overviewCall{View: v, Recordings: recordings[v.ID]}
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
