package src

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// SRSView is what the outside sees of one SRS of a recorder.
type SRSView struct {
	Recorder string    `json:"recorder"`
	Index    int       `json:"index"` // its place in the list, from 0
	SRS      string    `json:"srs"`
	State    SRSState  `json:"state"`
	Until    time.Time `json:"until,omitzero"` // end of the states last and skipped
	Failures int       `json:"failures"`       // in a row
	Sessions int       `json:"sessions"`       // that it has now
}

// SRSState says how sessions treat an SRS.
type SRSState string

// The states of an SRS.
const (
	SRSFit     SRSState = "fit"     // asked in its turn
	SRSLast    SRSState = "last"    // has failed, is asked after the others
	SRSSkipped SRSState = "skipped" // has asked to be left alone (Retry-After)
	SRSDown    SRSState = "down"    // does not answer probes, is asked after the others
	SRSDrained SRSState = "drained" // gets no new sessions, by an operator
)

// SRSs lists the SRSs of all recorders, by recorder and place.
func (c *Client) SRSs() []SRSView {
	c.mu.Lock()
	recorders := make([]*Recorder, 0, len(c.recorders))
	for _, r := range c.recorders {
		recorders = append(recorders, r)
	}
	c.mu.Unlock()
	slices.SortFunc(recorders, func(a, b *Recorder) int { return cmp.Compare(a.Name, b.Name) })
	var views []SRSView
	for _, r := range recorders {
		for i := range r.SRS {
			views = append(views, c.health.view(r, i))
		}
	}
	return views
}

// Drain keeps new sessions, and those that move, away from an SRS; the ones that
// it has stay until they end or are moved. Enable takes that back, and whatever
// else was held against it. The order of the list and its URIs count, not the
// configuration: a reload keeps it. The error is ErrNotFound (wrapped).
func (c *Client) Drain(ctx context.Context, recorder string, index int, on bool) (SRSView, error) {
	r := c.recorder(recorder)
	if r == nil || index < 0 || index >= len(r.SRS) {
		return SRSView{}, fmt.Errorf("SRS %d of recorder %q: %w", index, recorder, ErrNotFound)
	}
	c.health.drain(r.Name, r.SRS[index], on)
	c.log.Info("SRS drained or enabled", "recorder", recorder, "srs", r.SRS[index], "drained", on)
	return c.health.view(r, index), ctx.Err()
}

// view shows one SRS.
func (h *health) view(r *Recorder, i int) SRSView {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, now := h.of(r.Name, r.SRS[i]), h.now()
	v := SRSView{Recorder: r.Name, Index: i, SRS: r.SRS[i], State: SRSFit, Failures: c.failures, Sessions: c.sessions}
	switch {
	case c.drained:
		v.State = SRSDrained
	case now.Before(c.skipped):
		v.State, v.Until = SRSSkipped, c.skipped.UTC()
	case c.down:
		v.State = SRSDown
	case now.Before(c.last):
		v.State, v.Until = SRSLast, c.last.UTC()
	}
	return v
}

func (h *health) drain(recorder, srs string, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of(recorder, srs)
	c.drained = on
	if !on {
		*c = condition{sessions: c.sessions}
	}
}

// probed notes the result of a probe and returns the one before.
func (h *health) probed(recorder, srs string, alive bool) (was bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.of(recorder, srs)
	was, c.down = !c.down, !alive
	if alive {
		c.failures, c.last = 0, time.Time{}
	}
	return was
}

// carries counts the sessions of an SRS.
func (h *health) carries(recorder, srs string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(recorder, srs).sessions += n
}
