package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sidetrack/policy"
)

// conditions says in words what a match asks for; there is always one.
func conditions(m policy.Match) []string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if m.Route != "" {
		add("route %s", m.Route)
	}
	if len(m.Method) > 0 {
		add("%s", either(m.Method))
	}
	if len(m.Source) > 0 {
		add("sent by %s", prefixes(m.Source))
	}
	if m.Listener != "" {
		add("received on %s", m.Listener)
	}
	if m.From != nil {
		add("From ~ %s", m.From)
	}
	if m.To != nil {
		add("To ~ %s", m.To)
	}
	if m.RequestURI != nil {
		add("Request-URI ~ %s", m.RequestURI)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		add("%s ~ %s", name, m.Header[name])
	}
	if m.Asserted != nil {
		add("P-Asserted-Identity ~ %s", m.Asserted)
	}
	if m.Diversion != nil {
		add("diverted ~ %s", m.Diversion)
	}
	if len(m.Codec) > 0 {
		add("%s offered", either(m.Codec))
	}
	if m.Numbers != nil {
		add("%s on the list %s (%d entries)", parties(m.NumbersOf), m.Numbers, m.Numbers.Len())
	}
	if len(m.Windows) > 0 {
		var windows []string
		for _, w := range m.Windows {
			windows = append(windows, w.String())
		}
		add("at %s", either(windows))
	}
	if m.Sample > 0 {
		add("%s of the calls", m.Sample)
	}
	for _, one := range m.All {
		parts = append(parts, conditions(one)...)
	}
	if len(m.Any) > 0 {
		var some []string
		for _, one := range m.Any {
			some = append(some, together(one))
		}
		add("%s", strings.Join(some, " or "))
	}
	if m.Not != nil {
		add("not %s", together(*m.Not))
	}
	if len(parts) == 0 {
		return []string{"everything"}
	}
	return parts
}

// together says a match in one line.
func together(m policy.Match) string {
	parts := conditions(m)
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, " and ") + ")"
}

func parties(of []policy.Party) string {
	if len(of) == 0 {
		of = []policy.Party{policy.PartyCaller, policy.PartyCallee}
	}
	names := make([]string, len(of))
	for i, p := range of {
		names[i] = map[policy.Party]string{
			policy.PartyCaller: "From", policy.PartyCallee: "To", policy.PartyRequested: "Request-URI",
			policy.PartyAsserted: "P-Asserted-Identity", policy.PartyDiverting: "Diversion",
		}[p]
	}
	return either(names)
}
