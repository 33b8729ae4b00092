package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"sidetrack/internal/api"
	"sidetrack/internal/config"
	"sidetrack/internal/store"
	"sidetrack/src"
)

// journalTime bounds what is left to be written when the proxy stops.
const journalTime = 5 * time.Second

// journal is the store in use.
type journal struct {
	mu      sync.RWMutex // no verdict is added while the store is exchanged
	store   *store.Store // nil: none is kept
	leaving sync.WaitGroup
}

func (j *journal) add(v src.Verdict) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.store != nil {
		j.store.Add(verdict(v))
	}
}

func (j *journal) current() *store.Store {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.store
}

// replace puts a store in the place of the one before, which is returned.
func (j *journal) replace(s *store.Store) (before *store.Store) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before, j.store = j.store, s
	return before
}

// openJournal opens the journal when the configuration wants one.
func (a *App) openJournal() error {
	s, err := a.openStore(a.cfg.Journal)
	a.journal.replace(s)
	return err
}

// openStore opens the file of a configuration; nil when it names none.
func (a *App) openStore(j config.Journal) (*store.Store, error) {
	if j.File == "" {
		return nil, nil
	}
	s, err := store.Open(store.Config{File: j.File, MaxAge: j.MaxAge, MaxSize: j.MaxSize, Log: a.log, Registerer: a.registry})
	if err != nil {
		return nil, fmt.Errorf("journal.file: %w", err)
	}
	return s, nil
}

func closeStore(s *store.Store) error {
	if s == nil {
		return nil
	}
	return within(journalTime, "journal.file", s.Close)
}

func (a *App) closeJournal() error {
	a.journal.leaving.Wait()
	return closeStore(a.journal.replace(nil))
}

// onVerdict takes the story of a recording, as far as it is known. It is called
// on a call's lane: nothing here waits.
func (a *App) onVerdict(v src.Verdict) {
	a.journal.add(v)
	if v.View.Result == "" {
		return
	}
	a.mirrorVerdict(v)
	a.recordingSpans(v)
	v.View.Streams = nil // its own tell more
	a.events.Publish(eventVerdict, verdictEvent{time.Now().UTC(), v})
}

const eventVerdict = "recording.verdict"

// verdictEvent is a verdict on its way to who reads of it.
type verdictEvent struct {
	at time.Time
	src.Verdict
}

// MarshalJSON implements json.Marshaler: a verdict with the fields that every event of a recording has.
func (e verdictEvent) MarshalJSON() ([]byte, error) {
	v := verdict(e.Verdict)
	return json.Marshal(struct {
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
	}{eventVerdict, e.at, v.CallID, v.Call.SIPCallID, v.SIPCallID, v.ID, v.SRS, v.Name, v.Recorder, v.Reason, v})
}

// verdict is a verdict of the recording client as the journal keeps it.
func verdict(v src.Verdict) store.Verdict {
	row := store.Verdict{
		ID: v.View.ID, CallID: v.View.CallID, Call: store.Call(v.View.Call), Rule: v.View.Rule, Initiator: string(v.View.Initiator), Recorder: v.View.Recorder,
		Name: v.View.Name, Required: v.Required, Started: v.View.Started, Answered: v.Answered, Taken: v.Taken,
		Ended: v.View.Ended, Seconds: v.Recorded.Seconds(), Result: store.Result(v.View.Result), Reason: v.View.Reason,
		SRS: v.View.SRS, SIPCallID: v.View.SIPCallID, Moves: v.Moves,
		Parameters: map[string]string{}, Alarms: []string{}, Attempts: []store.Attempt{}, Streams: []store.Stream{},
	}
	if row.Result == "" {
		row.Result = store.Running
	}
	maps.Copy(row.Parameters, v.View.Parameters)
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

var errNoJournal = refusal{errors.New("no journal is kept: the configuration has no journal.file"), api.ErrNotFound}

func (a *App) listJournal(ctx context.Context, q api.JournalQuery) ([]any, string, error) {
	s := a.journal.current()
	if s == nil {
		return nil, "", errNoJournal
	}
	page, next, err := s.List(ctx, storeQuery(q))
	items := make([]any, len(page))
	for i, v := range page {
		items[i] = v
	}
	return items, next, invalid(err)
}

func (a *App) listReasons(ctx context.Context, q api.JournalQuery) (any, error) {
	s := a.journal.current()
	if s == nil {
		return nil, errNoJournal
	}
	reasons, err := s.Reasons(ctx, storeQuery(q))
	if reasons == nil {
		reasons = []store.Reason{}
	}
	return reasons, invalid(err)
}

func storeQuery(q api.JournalQuery) store.Query {
	return store.Query{
		Since: q.Since, Until: q.Until, Result: store.Result(q.Result), Recorder: q.Recorder, Tag: q.Tag, Newest: q.Newest, Limit: q.Limit, Cursor: q.Cursor,
	}
}

// invalid makes of an error of a query one of the asker's.
func invalid(err error) error {
	if errors.Is(err, store.ErrQuery) {
		return refusal{err, api.ErrInvalid}
	}
	return err
}
