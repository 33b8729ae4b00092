package config

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"sidetrack/internal/redact"
	"sidetrack/policy"
)

// Shown is the configuration as its file has it, as values for encoding/json.
// What came out of the environment is shown as the name of its variable;
// passwords, tokens and what looks like one are hidden.
func (c *Config) Shown() any { return c.shown }

const concealed = "(hidden)"

// secretKey are the keys, and headers, whose values nobody should see.
var secretKey = regexp.MustCompile(`(?i)(password|secret|token|authorization|api-?key|cookie|credential|signature)`)

// webQuery is the query of an http URL: many services put their key there.
var webQuery = regexp.MustCompile(`(?i)(https?://[^\s?"<>]+)\?[^\s"<>]+`)

// show turns a value of the file into one for JSON; key is its name.
func show(key string, n *node) any {
	switch n.kind {
	case mapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			as := e.name
			if key == "users" { // USER: password
				as = "password"
			}
			out[e.name] = show(as, e.value)
		}
		return out
	case list:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = show(key, item)
		}
		return out
	case broken:
		return nil
	}
	if n.null() {
		return nil
	}
	if secretKey.MatchString(key) && !n.secret && n.raw != "" {
		return concealed
	}
	switch _, err := strconv.Atoi(n.raw); {
	case n.tag == "!!int" && err == nil && !n.secret:
		return json.Number(n.raw)
	case n.tag == "!!bool" && !n.secret:
		return strings.EqualFold(n.raw, "true")
	}
	return webQuery.ReplaceAllString(redact.Passwords(n.raw), "$1?***")
}

// ShownRule is a route or a recording rule in words.
type ShownRule struct {
	Kind    string   `json:"kind"`  // route or recording
	Place   int      `json:"place"` // among its kind, from 1
	Name    string   `json:"name"`
	Match   []string `json:"match"` // what must hold
	Outcome string   `json:"outcome"`
}

// ShownRules are the routes, then the recording rules, as they are tried.
func (c *Config) ShownRules() []ShownRule {
	var all []ShownRule
	for i, r := range c.Policy.Routes {
		all = append(all, ShownRule{"route", i + 1, r.Name, conditions(r.Match), routeOutcome(r)})
	}
	for i, r := range c.Policy.Rules {
		all = append(all, ShownRule{"recording", i + 1, r.Name, conditions(r.Match), outcome(r)})
	}
	return all
}

// routeOutcome says in words where a route leads.
func routeOutcome(r policy.Route) string {
	to := "the Request-URI itself"
	if !r.RequestURI {
		to = targetList(r.Targets)
	}
	return to + routeExtras(r)
}
