package config

import (
	"strings"

	"sidetrack/internal/redact"
	"sidetrack/policy"
)

const wantTarget = "a SIP URI such as sip:192.0.2.20:5060, several with commas, or " + requestURI

// routeTo reads where a route leads: a text of URIs, one mapping, or a list of
// both.
func (d *decoder) routeTo(c cursor) (targets []policy.Target, follow bool) {
	items := []cursor{c}
	if c.n.kind == list {
		if items = c.items(wantTarget); len(c.n.items) == 0 {
			c.failf("names no target; write a SIP URI such as sip:192.0.2.20:5060")
		}
	}
	var all []cursor // texts taken apart
	for _, item := range items {
		switch {
		case item.n.kind == mapping:
			all = append(all, item)
		case item.n.kind == list && c.n.kind == list:
			item.must(wantTarget)
		default:
			all = append(all, item.words(wantTarget)...)
		}
	}
	for _, item := range all {
		switch {
		case item.n.kind == mapping:
			if t, ok := d.target(item); ok {
				targets = append(targets, t)
			}
		case item.n.text != requestURI:
			if d.targetURI(item) {
				targets = append(targets, policy.Target{URI: item.n.text, Secret: item.n.secret})
			}
		case len(all) > 1:
			item.failf("%s stands alone; make another route of it", requestURI)
			return nil, false
		default:
			return nil, true
		}
	}
	return targets, false
}

// targetURI checks the URI of a target.
func (d *decoder) targetURI(c cursor) bool {
	t, ok := c.dialled("sip:192.0.2.20:5060")
	if ok {
		d.later(func() { d.checkTarget(c, t) })
	}
	return ok
}

// target reads one that has settings of its own.
func (d *decoder) target(c cursor) (t policy.Target, ok bool) {
	var uri cursor
	transport := ""
	if !c.read(fields{
		{"uri", func(c cursor) {
			if s, ok := c.word("a SIP URI such as sip:192.0.2.20:5060"); ok {
				t.URI, t.Secret, uri = s, c.n.secret, c
			}
		}},
		{"transport", func(c cursor) { transport, _ = c.oneOf("udp", "tcp", "tls") }},
		{"auth", func(c cursor) { t.Auth = c.credentials() }},
		{"headers", func(c cursor) { t.Headers = c.routeHeaders() }},
	}) {
		return t, false
	}
	switch {
	case t.URI == "" && c.n.get("uri") == nil:
		c.failf("has no uri; add it, such as uri: sip:192.0.2.20:5060")
		return t, false
	case t.URI == "":
		return t, false // told already
	case t.URI == requestURI:
		uri.failf("%s has no settings of its own; write to: %s", requestURI, requestURI)
		return t, false
	}
	if transport != "" {
		if strings.Contains(strings.ToLower(t.URI), ";transport=") {
			uri.failf("%s names a transport, and so does the key; keep one", uri.show())
			return t, false
		}
		address, headers, some := strings.Cut(t.URI, "?")
		if t.URI = address + ";transport=" + transport; some {
			t.URI += "?" + headers
		}
	}
	whole := *uri.n
	whole.text = t.URI
	return t, d.targetURI(cursor{d, uri.path, &whole})
}

// shownTarget is the URI of a target for people: without its password, and without the
// values of headers that nobody should see.
func shownTarget(t policy.Target) string {
	address, headers, some := strings.Cut(t.URI, "?")
	if address = redact.Passwords(address); !some {
		return address
	}
	pairs := strings.Split(headers, "&")
	for i, pair := range pairs {
		if name, _, _ := strings.Cut(pair, "="); t.Secret || secretName(name) {
			pairs[i] = name + "=***"
		}
	}
	return address + "?" + strings.Join(pairs, "&")
}

// targetList names targets, with what is their own.
func targetList(targets []policy.Target) string {
	out := make([]string, len(targets))
	for i, t := range targets {
		out[i] = shownTarget(t)
		var own []string
		if t.Auth != nil {
			own = append(own, "as user "+t.Auth.User)
		}
		for _, h := range t.Headers {
			own = append(own, "with "+h.Name)
		}
		if len(own) > 0 {
			out[i] += " (" + strings.Join(own, ", ") + ")"
		}
	}
	return strings.Join(out, ", then ")
}
