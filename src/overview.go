package src

import (
	"cmp"
	"slices"

	"sidetrack/metadata"
)

// maxPast bounds what a call remembers of recordings that ended before it did:
// somebody may start and stop one all day.
const maxPast = 8

// remember keeps a recording that has ended for as long as its call goes on:
// the history of all calls forgets it much sooner. wanted: somebody has stopped
// it. The caller holds client.mu.
func (k *call) remember(v View, wanted bool) {
	if !wanted {
		k.lost++
	}
	if len(k.past) == maxPast {
		k.past = slices.Delete(k.past, 0, 1)
	}
	k.past = append(k.past, v)
}

// RecordingsOf returns the recordings of these calls by call, in the order in
// which they were asked for: of a call that goes on all live ones and the last
// that have ended, of another one those that ended lately.
func (c *Client) RecordingsOf(calls []string) map[string][]View {
	out := make(map[string][]View, len(calls))
	var live []*Session
	c.mu.Lock()
	gone := map[string]bool{}
	for _, id := range calls {
		if k := c.calls[id]; k != nil {
			out[id] = slices.Clone(k.past)
			continue
		}
		out[id], gone[id] = nil, true
	}
	for _, s := range c.live {
		if _, asked := out[s.callID()]; asked {
			live = append(live, s)
		}
	}
	if len(gone) > 0 {
		for _, v := range c.ended.views {
			if gone[v.CallID] {
				out[v.CallID] = append(out[v.CallID], v)
			}
		}
	}
	c.mu.Unlock()
	for _, s := range live {
		v := s.View()
		out[v.CallID] = append(out[v.CallID], v)
	}
	for _, views := range out {
		slices.SortFunc(views, byStart)
	}
	return out
}

// StateWaiting is a state for those who look at many recordings: starting, though
// an SRS has been asked in vain.
const StateWaiting metadata.RecordingState = "waiting"

func (s *Session) callID() string {
	s.showing.Lock()
	defer s.showing.Unlock()
	return s.shown.cs.ID
}

// seen is the state for them.
func (s *Session) seen() metadata.RecordingState {
	s.showing.Lock()
	defer s.showing.Unlock()
	if p := &s.shown; p.state != metadata.StateStarting || len(p.attempts) == 0 {
		return p.state
	}
	return StateWaiting
}

// States counts the recordings of live calls by state: ended are those whose
// call goes on without them though nobody has stopped them, waiting those that
// start in vain so far.
func (c *Client) States() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for _, s := range c.live {
		out[string(s.seen())]++
	}
	for _, k := range c.calls {
		if k.lost > 0 {
			out[string(metadata.StateEnded)] += k.lost
		}
	}
	return out
}

// CallsWith are the live calls that have a recording in that state, as States
// counts them.
func (c *Client) CallsWith(state metadata.RecordingState) map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]bool{}
	if state == metadata.StateEnded {
		for id, k := range c.calls {
			if k.lost > 0 {
				out[id] = true
			}
		}
		return out
	}
	for _, s := range c.live {
		if s.seen() == state {
			out[s.callID()] = true
		}
	}
	return out
}

// Lately are the last n recordings that have ended without being whole, the
// newest first.
func (c *Client) Lately(n int) []View {
	c.mu.Lock()
	views := c.ended.all()
	c.mu.Unlock()
	views = slices.DeleteFunc(views, func(v View) bool { return v.Result == Complete || v.Result == Skipped })
	slices.SortFunc(views, func(a, b View) int { return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID)) })
	return views[:min(n, len(views))]
}
