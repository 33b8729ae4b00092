package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"sidetrack/internal/api"
	"sidetrack/internal/store"
	"sidetrack/src"
)

// journalTime bounds what is left to be written when the proxy stops.
const journalTime = 5 * time.Second

// openJournal opens the journal when the configuration wants one.
func (a *App) openJournal() error {
	j := a.cfg.Journal
	if j.File == "" {
		return nil
	}
	s, err := store.Open(store.Config{File: j.File, MaxAge: j.MaxAge, MaxSize: j.MaxSize, Log: a.log, Registerer: a.registry})
	if err != nil {
		return fmt.Errorf("journal.file: %w", err)
	}
	a.journal = s
	return nil
}

func (a *App) closeJournal() error {
	if a.journal == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), journalTime)
	defer cancel()
	return a.journal.Close(ctx)
}

// onVerdict takes the story of a recording, as far as it is known. It is called
// on a call's lane: nothing here waits.
func (a *App) onVerdict(v src.Verdict) {
	row := verdict(v)
	if a.journal != nil {
		a.journal.Add(row)
	}
	if row.Result != store.Running {
		a.mirrorVerdict(v, row)
		a.recordingSpans(v)
		a.events.Publish(eventVerdict, verdictEvent{
			eventVerdict, time.Now().UTC(), row.CallID, row.Call.SIPCallID, row.SIPCallID, row.ID, row.SRS, row.Name, row.Recorder, row.Reason, row,
		})
	}
}

const eventVerdict = "recording.verdict"

// verdictEvent is a verdict with the fields that every event of a recording has.
type verdictEvent struct {
	Type      string        `json:"type"`
	Time      time.Time     `json:"time"`
	DlgID     string        `json:"dlg_id"`
	DlgCallID string        `json:"dlg_callid"`
	CallID    string        `json:"callid"`
	SessionID string        `json:"session_id"`
	Server    string        `json:"server"`
	Instance  string        `json:"instance"`
	Recorder  string        `json:"recorder"`
	Reason    string        `json:"reason,omitempty"`
	Verdict   store.Verdict `json:"verdict"`
}

// verdict is a verdict of the recording client as the journal keeps it.
func verdict(v src.Verdict) store.Verdict {
	row := store.Verdict{
		ID: v.View.ID, CallID: v.View.CallID, Call: store.Call(v.View.Call), Rule: v.View.Rule, Initiator: string(v.View.Initiator), Recorder: v.View.Recorder,
		Name: v.View.Name, Required: v.Required, Started: v.View.Started, Answered: v.Answered, Taken: v.Taken,
		Ended: v.View.Ended, Seconds: v.Recorded.Seconds(), Result: store.Result(v.View.Result), Reason: v.View.Reason,
		SRS: v.View.SRS, SIPCallID: v.View.SIPCallID, Moves: v.Moves,
		Alarms: []string{}, Attempts: []store.Attempt{}, Streams: []store.Stream{},
	}
	if row.Result == "" {
		row.Result = store.Running
	}
	for _, alarm := range v.Alarms {
		row.Alarms = append(row.Alarms, string(alarm))
	}
	for _, t := range v.View.Attempts {
		row.Attempts = append(row.Attempts, store.Attempt{
			SRS: t.SRS, Code: t.Code, Reason: t.Reason, At: t.At, Took: time.Duration(t.Took).Seconds(),
		})
	}
	for _, st := range v.Streams {
		row.Streams = append(row.Streams, stream(st))
	}
	return row
}

func stream(st src.StreamVerdict) store.Stream {
	out := store.Stream{
		Label: st.Label, Party: string(st.Party), Codec: st.Codec, PacketsIn: st.PacketsIn, PacketsCopied: st.PacketsCopied,
		Dropped: st.Dropped, Lost: st.Lost, DroppedBy: map[string]uint64{}, AtRisk: st.AtRisk, Unreachable: st.Unreachable,
		RTCPIn: st.RTCPIn, SRSReports: st.SRSReports, SRSLost: st.SRSLost, First: st.First, Last: st.Last, Gaps: []store.Gap{},
	}
	maps.Copy(out.DroppedBy, st.DroppedBy)
	for _, g := range st.Gaps {
		out.Gaps = append(out.Gaps, store.Gap(g))
	}
	return out
}

// listJournal asks the journal; nil when there is none, so that the API says so.
func (a *App) listJournal() func(context.Context, api.JournalQuery) ([]any, string, error) {
	if a.journal == nil {
		return nil
	}
	return func(ctx context.Context, q api.JournalQuery) ([]any, string, error) {
		page, next, err := a.journal.List(ctx, store.Query{
			Since: q.Since, Until: q.Until, Result: store.Result(q.Result), Recorder: q.Recorder, Limit: q.Limit, Cursor: q.Cursor,
		})
		if errors.Is(err, store.ErrQuery) {
			err = refusal{err, api.ErrInvalid}
		}
		items := make([]any, len(page))
		for i, v := range page {
			items[i] = v
		}
		return items, next, err
	}
}
