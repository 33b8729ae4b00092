package b2bua

import (
	"context"
	"slices"
	"time"

	"sidetrack/forker"
	"sidetrack/metadata"
)

// View is a call as the API shows it, in its own words (docs/api.md). Times
// are UTC.
type View struct {
	ID         string       `json:"id"`
	SIPCallID  string       `json:"sip_call_id"`
	From       string       `json:"from"`
	To         string       `json:"to"`
	Route      string       `json:"route"`
	State      State        `json:"state"`
	Since      time.Time    `json:"since"`
	Answered   *time.Time   `json:"answered,omitempty"`
	Legs       []LegView    `json:"legs"`
	Streams    []StreamView `json:"streams"`
	Recordings []string     `json:"recordings"`
}

// LegView is one SIP dialog of a call.
type LegView struct {
	Side      string `json:"side"` // caller or callee
	SIPCallID string `json:"sip_call_id"`
	LocalTag  string `json:"local_tag"`
	RemoteTag string `json:"remote_tag"`
	Target    string `json:"target"`
	Peer      string `json:"peer"`
}

// StreamView is one direction of one m-line.
type StreamView struct {
	Index     int    `json:"index"`
	Kind      string `json:"kind"`
	Party     string `json:"party"` // who sends
	Codec     string `json:"codec"`
	Active    bool   `json:"active"` // false on hold
	Packets   uint64 `json:"packets"`
	Octets    uint64 `json:"octets"`
	Strangers uint64 `json:"strangers"` // dropped: not from the party
}

// view must run on the call's lane.
func (c *Call) view() View {
	v := View{
		ID: c.id, SIPCallID: c.in.CallID, From: c.in.From.URI, To: c.in.To.URI, Route: c.route.Name,
		State: c.state, Since: c.started.UTC(), Legs: []LegView{}, Streams: []StreamView{}, Recordings: []string{},
	}
	if !c.answered.IsZero() {
		t := c.answered.UTC()
		v.Answered = &t
	}
	b := c.current
	if b == nil && len(c.branches) > 0 {
		b = c.branches[len(c.branches)-1]
	}
	for _, s := range []side{sideA, sideB} {
		l := LegView{Side: sideName(s), SIPCallID: c.legs[s].callID}
		if c.legs[s].flow.Remote.IsValid() {
			l.Peer = c.legs[s].flow.Remote.String()
		}
		if b != nil {
			d := b.dialogs[s]
			l.LocalTag, l.RemoteTag, l.Target = d.LocalTag, d.RemoteTag, d.RemoteTarget
		}
		v.Legs = append(v.Legs, l)
	}
	v.Streams = append(v.Streams, c.streamViews()...)
	return v
}

// streamViews lists the directions of all m-lines, the caller's first.
func (c *Call) streamViews() []StreamView {
	var out []StreamView
	stats := c.relay.Stats()
	for _, m := range c.media.said.media() {
		for _, s := range []side{sideA, sideB} {
			flow, said := forker.AB, m.Caller
			if s == sideB {
				flow, said = forker.BA, m.Callee
			}
			v := StreamView{Index: m.Index, Kind: m.Kind, Party: sideName(s), Codec: codec(said.Formats), Active: said.Sends}
			if m.Index < len(stats.Streams) {
				f := stats.Streams[m.Index].Flows[flow]
				v.Packets, v.Octets, v.Strangers = f.Packets, f.Octets, f.Strangers
			}
			out = append(out, v)
		}
	}
	return out
}

// codec names the first format, the one that is used.
func codec(formats []metadata.Format) string {
	if len(formats) == 0 {
		return ""
	}
	return formats[0].Name
}

// Calls returns all calls, oldest first. It waits for each lane in turn and
// gives up with ctx.
func (s *Server) Calls(ctx context.Context) ([]View, error) {
	all, err := collect(ctx, s, func(here map[string]*Call) []View {
		views := make([]View, 0, len(here))
		for _, c := range here {
			views = append(views, c.view())
		}
		return views
	})
	slices.SortFunc(all, func(a, b View) int { return a.Since.Compare(b.Since) })
	return all, err
}

// Brief is what tells calls apart: cheap, for lists of thousands.
type Brief struct {
	ID, SIPCallID, From, To, Route string
	State                          State
	Since                          time.Time
}

// brief must run on the call's lane.
func (c *Call) brief() Brief {
	return Brief{c.id, c.in.CallID, c.in.From.URI, c.in.To.URI, c.route.Name, c.state, c.started.UTC()}
}

// summary must run on the call's lane. Every call has several events, and few of them have readers: nothing is made for it.
func (c *Call) summary() Summary {
	s := Summary{Brief: c.brief(), Answered: c.answered.UTC()}
	if leg := c.legs[sideB].callID; leg != s.SIPCallID {
		s.LegCallID = leg
	}
	return s
}

// Briefs returns all calls, oldest first, as Calls does. It disturbs no media.
func (s *Server) Briefs(ctx context.Context) ([]Brief, error) {
	all, err := collect(ctx, s, func(here map[string]*Call) []Brief {
		briefs := make([]Brief, 0, len(here))
		for _, c := range here {
			briefs = append(briefs, c.brief())
		}
		return briefs
	})
	slices.SortFunc(all, func(a, b Brief) int { return a.Since.Compare(b.Since) })
	return all, err
}

// Views returns those of the calls that still are, by id.
func (s *Server) Views(ctx context.Context, ids []string) (map[string]View, error) {
	some, err := collect(ctx, s, func(here map[string]*Call) []View {
		var views []View
		for _, id := range ids {
			if c := here[id]; c != nil {
				views = append(views, c.view())
			}
		}
		return views
	})
	out := make(map[string]View, len(some))
	for _, v := range some {
		out[v.ID] = v
	}
	return out, err
}

// collect asks each lane in turn about its calls, and gives up with ctx.
func collect[T any](ctx context.Context, s *Server, look func(here map[string]*Call) []T) ([]T, error) {
	var all []T
	for i, lane := range s.cfg.Txn.Lanes() {
		got := make(chan []T, 1)
		lane.Post(func() { got <- look(s.lanes[i].byToken) })
		select {
		case some := <-got:
			all = append(all, some...)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return all, nil
}

// Call returns one call by its id.
func (s *Server) Call(ctx context.Context, id string) (v View, found bool, err error) {
	return ask(ctx, s, id, (*Call).view)
}

// Media returns the media of a call; nil when there is no such call.
func (s *Server) Media(ctx context.Context, id string) (*forker.Relay, error) {
	media, _, err := ask(ctx, s, id, func(c *Call) *forker.Relay { return c.relay })
	return media, err
}

// ask has look see a call on its lane; found is false when there is no such call.
// The answer comes by a channel: look may run when nobody waits for it any more.
func ask[T any](ctx context.Context, s *Server, id string, look func(*Call) T) (seen T, found bool, err error) {
	for i, lane := range s.cfg.Txn.Lanes() {
		got := make(chan T, 1)
		lane.Post(func() {
			if c := s.lanes[i].byToken[id]; c != nil {
				got <- look(c)
			}
			close(got)
		})
		select {
		case seen, found = <-got:
			if found {
				return seen, true, nil
			}
		case <-ctx.Done():
			return seen, false, ctx.Err()
		}
	}
	return seen, false, nil
}
