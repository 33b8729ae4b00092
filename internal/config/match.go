package config

import (
	"regexp"
	"strings"

	"sidetrack/policy"
)

// match reads the conditions of a route or, with more keys, of a recording rule.
func (d *decoder) match(c cursor, recording bool) policy.Match {
	var m policy.Match
	known := fields{
		{"source", func(c cursor) {
			if c.some("networks such as [192.0.2.0/24]") {
				m.Source = c.cidrs()
			}
		}},
		{"listener", func(c cursor) { d.listenerRef(c, &m.Listener) }},
		{"from", func(c cursor) { m.From = c.regex("") }},
		{"to", func(c cursor) { m.To = c.regex("") }},
		{"request_uri", func(c cursor) { m.RequestURI = c.regex("") }},
		{"method", func(c cursor) { m.Method = c.methods() }},
		{"header", func(c cursor) { m.Header = c.headerPatterns() }},
		{"asserted_identity", func(c cursor) { m.Asserted = c.regex("") }},
		{"diversion", func(c cursor) { m.Diversion = c.regex("") }},
		{"codec", func(c cursor) { m.Codec = c.codecs() }},
		{"numbers", func(c cursor) { m.Numbers, m.NumbersOf = d.numbers(c) }},
		{"time", func(c cursor) { m.Windows = c.windows() }},
		{"sample", func(c cursor) { m.Sample = c.share() }},
		{"any", func(c cursor) { m.Any = d.matches(c, recording) }},
		{"all", func(c cursor) { m.All = d.matches(c, recording) }},
		{"not", func(c cursor) {
			if not := d.match(c, recording); not.Empty() {
				c.failf("asks for nothing, and so nothing would match; write conditions below it, or remove it")
			} else {
				m.Not = &not
			}
		}},
	}
	if recording {
		known = append(known, field{"route", func(c cursor) { d.routeRef(c, &m.Route) }})
	}
	c.read(known)
	return m
}

// matches reads a list of matches.
func (d *decoder) matches(c cursor, recording bool) []policy.Match {
	var out []policy.Match
	for _, item := range c.items("matches") {
		out = append(out, d.match(item, recording))
	}
	if c.n.kind == list && len(c.n.items) == 0 {
		c.failf("is empty; write matches, each after a dash, or remove it")
	}
	return out
}

// codecs reads names of codecs (RFC 4855: a token).
func (c cursor) codecs() []string {
	var out []string
	c.some("a codec such as PCMA")
	for _, item := range c.words("a codec such as PCMA") {
		if !token(item.n.text) {
			item.failf("%s is no codec; write a name as in a=rtpmap, such as PCMA or opus", item.show())
			continue
		}
		out = append(out, item.n.text)
	}
	return out
}

// listenerRef reads the URL of one of sip.listen.
func (d *decoder) listenerRef(c cursor, into *string) {
	l, ok := c.listener()
	if !ok {
		return
	}
	*into = l.URL
	d.later(func() {
		var urls []string
		for _, have := range d.cfg.SIP.Listeners {
			if have.URL == l.URL {
				return
			}
			urls = append(urls, have.URL)
		}
		if len(urls) > 0 {
			c.failf("%s is not in sip.listen; write %s", c.show(), either(urls))
		}
	})
}

// routeRef reads the name of a route.
func (d *decoder) routeRef(c cursor, into *string) {
	s, ok := c.word("the name of a route")
	if !ok {
		return
	}
	*into = s
	d.later(func() {
		if d.routes[s] || s == registeredRoute {
			return
		}
		var names []string
		for _, r := range d.cfg.Policy.Routes {
			names = append(names, r.Name)
		}
		c.failf("there is no route %s; %s", c.show(), c.propose(s, names, "add one to routes"))
	})
}

// propose says what to write for a name that refers to nothing.
func (c cursor) propose(name string, known []string, otherwise string) string {
	if near := nearest(name, known); near != "" && !c.n.secret {
		return "write " + near
	}
	if len(known) == 0 || len(known) > 12 {
		return otherwise
	}
	return "write " + either(known) + ", or " + otherwise
}

// methods reads one method or several (RFC 3261 §7.1: a token, case-sensitive).
func (c cursor) methods() []string {
	var out []string
	c.some("a method such as INVITE")
	for _, item := range c.words("a method such as INVITE") {
		s := item.n.text
		if !token(s) {
			item.failf("%s is no method; write one such as INVITE", item.show())
			continue
		}
		if up := strings.ToUpper(s); up != s && !item.n.secret {
			item.warnf("methods are told apart by case, and %s is unlike %s", s, up)
		}
		out = append(out, s)
	}
	return out
}

func (c cursor) headerPatterns() map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	if c.n.null() {
		c.failf("has no value; write NAME: regular expression below it, indented, or remove the key")
	}
	c.some("NAME: regular expression below it")
	c.free("NAME: regular expression", func(name string, v cursor) {
		if !token(name) {
			v.failf("%q is no header name; write one such as X-Queue", name)
			return
		}
		if re := v.regex(""); re != nil {
			out[name] = re
		}
	})
	return out
}

// token is RFC 3261 §25.1.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r|0x20 && r|0x20 <= 'z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}
