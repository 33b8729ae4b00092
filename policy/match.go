package policy

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
)

// condition is one thing that must hold. A new match key is a new condition
// and its line in compile; nothing else changes.
type condition func(*Invite) bool

// conditions must all hold. They are ordered from cheap to dear, so that most
// rules that do not match are left without running a regular expression.
type conditions []condition

func (c conditions) hold(in *Invite) bool {
	for _, holds := range c {
		if !holds(in) {
			return false
		}
	}
	return true
}

func (m Match) compile() conditions {
	var c conditions
	if m.Route != "" {
		c = append(c, func(in *Invite) bool { return in.Route == m.Route })
	}
	if m.Listener != "" {
		c = append(c, func(in *Invite) bool { return in.Listener == m.Listener })
	}
	if len(m.Method) > 0 {
		c = append(c, func(in *Invite) bool { return slices.Contains(m.Method, in.Method) })
	}
	if len(m.Source) > 0 {
		c = append(c, within(m.Source))
	}
	if m.To != nil {
		matches := matcher(m.To)
		c = append(c, func(in *Invite) bool { return matches(in.To.URI) })
	}
	if m.From != nil {
		matches := matcher(m.From)
		c = append(c, func(in *Invite) bool { return matches(in.From.URI) })
	}
	if m.RequestURI != nil {
		matches := matcher(m.RequestURI)
		c = append(c, func(in *Invite) bool { return matches(in.RequestURI) })
	}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		c = append(c, headerMatches(name, m.Header[name]))
	}
	return c
}

// within compares without IPv4-mapped IPv6 and zones: a dual-stack socket
// reports ::ffff:192.0.2.1 for what the rule calls 192.0.2.1.
func within(nets []netip.Prefix) condition {
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

// headerMatches holds when any line of the header matches, since repeated
// lines are one list (RFC 3261 §7.3.1). A header that is not there never does.
func headerMatches(name string, re *regexp.Regexp) condition {
	name, matches := longName(name), matcher(re)
	return func(in *Invite) bool {
		for i := range in.Headers {
			if sameName(in.Headers[i].Name, name) && matches(in.Headers[i].Value) {
				return true
			}
		}
		return false
	}
}

// Empty reports whether the match sets no condition and so takes every request.
func (m Match) Empty() bool {
	return len(m.Source) == 0 && m.Listener == "" && len(m.Method) == 0 && m.Route == "" &&
		m.From == nil && m.To == nil && m.RequestURI == nil && len(m.Header) == 0
}
