package policy

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Trial is what came of asking one route or rule about a request.
type Trial struct {
	Name   string
	Asked  bool   // one before it has not decided already
	Missed []Miss // keys that did not hold, all of them; none: it matches
}

// Matched reports whether the route or rule takes the request.
func (t *Trial) Matched() bool { return t.Asked && len(t.Missed) == 0 }

// Miss is one key of a match that did not hold.
type Miss struct {
	Key   string // as in a configuration: to, header.X-Queue, any.from
	Wants string // what is asked for
	Sees  string // what the request has; "" where it has nothing
}

// ExplainRoute tells of each route in turn whether it takes in, by the very
// conditions that Route goes by.
func (e *Engine) ExplainRoute(in *Invite) []Trial {
	trials, decided := make([]Trial, 0, len(e.routes)), false
	for i := range e.routes {
		t := Trial{Name: e.routes[i].route.Name, Asked: !decided}
		if t.Asked {
			t.Missed = e.routes[i].misses(in)
			decided = t.Matched()
		}
		trials = append(trials, t)
	}
	return trials
}

// ExplainRules tells of each recording rule in turn whether it matches in, by
// the very conditions that Decide goes by.
func (e *Engine) ExplainRules(in *Invite) []Trial {
	trials, decided := make([]Trial, 0, len(e.rules)), false
	for i := range e.rules {
		r := &e.rules[i]
		t := Trial{Name: r.name, Asked: !decided}
		if t.Asked {
			t.Missed = r.misses(in)
			decided = t.Matched() && !r.goesOn
		}
		trials = append(trials, t)
	}
	return trials
}

// misses are the conditions that do not hold.
func (c conditions) misses(in *Invite) (all []Miss) {
	for i := range c {
		if !c[i].holds(in) {
			all = append(all, c[i].miss(in)...)
		}
	}
	return all
}

func (c *condition) miss(in *Invite) []Miss {
	if c.inner == nil {
		return []Miss{{Key: c.key, Wants: c.wants(), Sees: c.sees(in)}}
	}
	inner := c.inner(in)
	for i := range inner {
		inner[i].Key = c.key + "." + inner[i].Key
	}
	return inner
}

// unwanted are conditions that hold, where that is what is not wanted.
func (c conditions) unwanted(in *Invite) (all []Miss) {
	for i := range c {
		if c[i].inner != nil {
			all = append(all, Miss{Key: c[i].key, Wants: "does not hold", Sees: "it does"})
			continue
		}
		all = append(all, Miss{Key: c[i].key, Wants: "other than " + c[i].wants(), Sees: c[i].sees(in)})
	}
	return all
}

func said(words ...string) func() string {
	return func() string { return strings.Join(words, " or ") }
}

func prefixes(all []netip.Prefix) func() string {
	return func() string {
		words := make([]string, len(all))
		for i, p := range all {
			words[i] = p.String()
		}
		return strings.Join(words, " or ")
	}
}

func windows(all []Window) func() string {
	return func() string {
		words := make([]string, len(all))
		for i, w := range all {
			words[i] = w.String()
		}
		return strings.Join(words, " or ")
	}
}

func senderOf(in *Invite) string {
	if !in.Source.IsValid() {
		return ""
	}
	return in.Source.Unmap().String()
}

func receivedAt(in *Invite) string { return in.Received.Format("Mon " + time.RFC3339) }

func codecsSeen(in *Invite) string { return strings.Join(in.Codecs, ", ") }

// valuesOf gives the values of the headers of these names.
func valuesOf(names []string) func(*Invite) string {
	return func(in *Invite) string {
		var values []string
		for _, h := range in.Headers {
			if slices.ContainsFunc(names, func(name string) bool { return sameName(h.Name, name) }) {
				values = append(values, h.Value)
			}
		}
		return strings.Join(values, " and ")
	}
}

// numbersSeen gives what a list is asked for.
func numbersSeen(of []Party) func(*Invite) string {
	seen := map[Party]func(*Invite) string{
		PartyCaller: func(in *Invite) string { return in.From.URI }, PartyCallee: func(in *Invite) string { return in.To.URI },
		PartyRequested: func(in *Invite) string { return in.RequestURI },
		PartyAsserted:  valuesOf(assertedHeaders), PartyDiverting: valuesOf(divertingHeaders),
	}
	return func(in *Invite) string {
		var values []string
		for _, p := range partiesOf(of) {
			if v := seen[p](in); v != "" {
				values = append(values, v)
			}
		}
		return strings.Join(values, " and ")
	}
}

// partiesOf fills in whose numbers count where a rule does not say.
func partiesOf(of []Party) []Party {
	if len(of) == 0 {
		return []Party{PartyCaller, PartyCallee}
	}
	return of
}
