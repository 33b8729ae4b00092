package policy

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// condition is one thing that must hold. A new match key is a new condition
// and its line in compile; nothing else changes.
type condition struct {
	key   string // as in a configuration
	holds func(*Invite) bool
	wants func() string        // what the rule asks for, in words
	sees  func(*Invite) string // what the request has in its place
	inner func(*Invite) []Miss // what of a nested match does not hold; nil: it is not nested
}

// conditions must all hold. They are ordered from cheap to dear, so that most
// rules that do not match are left without running a regular expression.
type conditions []condition

func (c conditions) hold(in *Invite) bool {
	for i := range c {
		if !c[i].holds(in) {
			return false
		}
	}
	return true
}

func (m Match) compile() conditions {
	return slices.Concat(m.compileFacts(), m.compilePatterns(), m.compileNested())
}

// compileFacts are the conditions that compare.
func (m Match) compileFacts() conditions {
	var c conditions
	if m.Route != "" {
		c = append(c, condition{key: "route", holds: func(in *Invite) bool { return in.Route == m.Route },
			wants: said(m.Route), sees: func(in *Invite) string { return in.Route }})
	}
	if m.Listener != "" {
		c = append(c, condition{key: "listener", holds: func(in *Invite) bool { return in.Listener == m.Listener },
			wants: said(m.Listener), sees: func(in *Invite) string { return in.Listener }})
	}
	if len(m.Method) > 0 {
		c = append(c, condition{key: "method", holds: func(in *Invite) bool { return slices.Contains(m.Method, in.Method) },
			wants: said(m.Method...), sees: func(in *Invite) string { return in.Method }})
	}
	if len(m.Source) > 0 {
		c = append(c, condition{key: "source", holds: within(m.Source), wants: prefixes(m.Source), sees: senderOf})
	}
	if m.Sample > 0 {
		c = append(c, condition{key: "sample", holds: func(in *Invite) bool { return m.Sample.Takes(in.CallID) },
			wants: said(m.Sample.String()), sees: func(in *Invite) string { return "Call-ID " + in.CallID }})
	}
	if len(m.Windows) > 0 {
		c = append(c, condition{key: "time", holds: func(in *Invite) bool {
			return slices.ContainsFunc(m.Windows, func(w Window) bool { return w.Holds(in.Received) })
		}, wants: windows(m.Windows), sees: receivedAt})
	}
	if m.Numbers != nil {
		c = append(c, condition{key: "numbers", holds: listed(m.Numbers, m.NumbersOf),
			wants: func() string { return "an entry of " + m.Numbers.String() }, sees: numbersSeen(m.NumbersOf)})
	}
	return c
}

// compilePatterns are the conditions that run regular expressions or read SDP.
func (m Match) compilePatterns() conditions {
	var c conditions
	uri := func(key string, re *regexp.Regexp, of func(*Invite) string) {
		if re == nil {
			return
		}
		matches := matcher(re)
		c = append(c, condition{key: key, holds: func(in *Invite) bool { return matches(of(in)) }, wants: said(re.String()), sees: of})
	}
	uri("to", m.To, func(in *Invite) string { return in.To.URI })
	uri("from", m.From, func(in *Invite) string { return in.From.URI })
	uri("request_uri", m.RequestURI, func(in *Invite) string { return in.RequestURI })
	header := func(key string, re *regexp.Regexp, names ...string) {
		if re != nil {
			c = append(c, condition{key: key, holds: headerMatches(re, names...), wants: said(re.String()), sees: valuesOf(names)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		header("header."+name, m.Header[name], name)
	}
	header("asserted_identity", m.Asserted, assertedHeaders...)
	header("diversion", m.Diversion, divertingHeaders...)
	if len(m.Codec) > 0 {
		c = append(c, condition{key: "codec", holds: offers(m.Codec), wants: said(m.Codec...), sees: codecsSeen})
	}
	return c
}

func (m Match) compileNested() conditions {
	var c conditions
	for _, one := range m.All {
		c = append(c, one.compile()...)
	}
	if len(m.Any) > 0 {
		var some []conditions
		for _, one := range m.Any {
			some = append(some, one.compile())
		}
		c = append(c, condition{key: "any", holds: func(in *Invite) bool {
			return slices.ContainsFunc(some, func(one conditions) bool { return one.hold(in) })
		}, inner: func(in *Invite) (all []Miss) {
			for _, one := range some {
				all = append(all, one.misses(in)...)
			}
			return all
		}})
	}
	if m.Not != nil {
		unwanted := m.Not.compile()
		c = append(c, condition{key: "not", holds: func(in *Invite) bool { return !unwanted.hold(in) }, inner: unwanted.unwanted})
	}
	return c
}

// within compares without IPv4-mapped IPv6 and zones: a dual-stack socket
// reports ::ffff:192.0.2.1 for what the rule calls 192.0.2.1.
func within(nets []netip.Prefix) func(*Invite) bool {
	return func(in *Invite) bool {
		from := in.Source.Unmap().WithZone("")
		for _, n := range nets {
			if n.Contains(from) {
				return true
			}
		}
		return false
	}
}

// Where a request tells of parties beside From and To.
var (
	assertedHeaders  = []string{"P-Asserted-Identity"}
	divertingHeaders = []string{"Diversion", "History-Info"}
)

// headerMatches holds when any line of one of the headers matches, since
// repeated lines are one list (RFC 3261 §7.3.1). A header that is not there never does.
func headerMatches(re *regexp.Regexp, names ...string) func(*Invite) bool {
	matches, long := matcher(re), make([]string, len(names))
	for i, name := range names {
		long[i] = longName(name)
	}
	return func(in *Invite) bool {
		for i := range in.Headers {
			if named(&in.Headers[i], long) && matches(in.Headers[i].Value) {
				return true
			}
		}
		return false
	}
}

func named(h *Header, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return sameName(h.Name, name) })
}

// offers holds when the offer names one of the codecs.
func offers(codecs []string) func(*Invite) bool {
	return func(in *Invite) bool {
		return slices.ContainsFunc(in.Codecs, func(offered string) bool {
			return slices.ContainsFunc(codecs, func(c string) bool { return strings.EqualFold(c, offered) })
		})
	}
}

// listed holds when one of the parties is on the list.
func listed(list *Numbers, of []Party) func(*Invite) bool {
	of = partiesOf(of)
	return func(in *Invite) bool {
		return slices.ContainsFunc(of, func(p Party) bool {
			switch p {
			case PartyCaller:
				return list.Has(in.From)
			case PartyCallee:
				return list.Has(in.To)
			case PartyRequested:
				return list.Has(addressIn(in.RequestURI))
			case PartyAsserted:
				return listedIn(in, list, assertedHeaders)
			case PartyDiverting:
				return listedIn(in, list, divertingHeaders)
			}
			return false
		})
	}
}

func listedIn(in *Invite, list *Numbers, names []string) bool {
	for i := range in.Headers {
		if named(&in.Headers[i], names) && slices.ContainsFunc(addressesIn(in.Headers[i].Value), list.Has) {
			return true
		}
	}
	return false
}

// Empty reports whether the match sets no condition and so takes every request.
func (m Match) Empty() bool { return len(m.compile()) == 0 }
