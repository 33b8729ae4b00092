package config

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tracing is where spans of calls go.
type Tracing struct {
	URL     string            // of an OTLP/HTTP receiver; "": none are made
	CA      string            // PEM, for https; "": the system's authorities
	Headers map[string]string // of each request
	Sample  int               // calls of a hundred
	Service string            // service.name
}

// headerName is a token of RFC 9110.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func defaultTracing() Tracing { return Tracing{Sample: 100, Service: "sidetrack"} }

func (d *decoder) tracing(c cursor) {
	t := &d.cfg.Tracing
	ok := c.read(fields{
		{"otlp", func(c cursor) { t.URL = c.otlpURL() }},
		{"ca", func(c cursor) {
			if t.CA = d.fileName(c); t.CA != "" {
				if err := checkAuthorities(t.CA); err != nil {
					c.failf("%v", err)
				}
			}
		}},
		{"headers", func(c cursor) { t.Headers = c.plainHeaders() }},
		{"sample", func(c cursor) {
			if v, ok := c.integer(0, 100); ok {
				t.Sample = v
			}
		}},
		{"service", func(c cursor) {
			if s, ok := c.word("the name of this service"); ok {
				t.Service = s
			}
		}},
	})
	if ok && c.n.get("otlp") == nil {
		c.failf("has no otlp; add otlp: http://HOST:4318")
	}
}

// otlpURL reads a receiver; the path that OTLP/HTTP has for spans is added where
// none is given.
func (c cursor) otlpURL() string {
	if c.n.kind == scalar && !c.n.null() && c.n.text == "" {
		return ""
	}
	s := c.httpURL()
	u, err := url.Parse(s)
	if s == "" || err != nil {
		return ""
	}
	if u.Scheme == "http" && !loopbackHost(u.Hostname()) {
		c.warnf("spans, with the numbers of callers, go in clear to %s; write https where they leave your network", u.Host)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String()
}

// plainHeaders reads header fields of an HTTP request.
func (c cursor) plainHeaders() map[string]string {
	if c.n.kind != mapping {
		if !c.n.null() {
			c.failf("is %s; write NAME: value for each header", c.n.kind)
		}
		return nil
	}
	out := map[string]string{}
	for _, e := range c.n.entries {
		item := cursor{c.d, join(c.path, e.name), e.value}
		s, ok := item.text("a value, better as ${NAME}")
		switch {
		case !ok:
		case !headerName.MatchString(e.name), strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }):
			item.failf("is no header field")
		default:
			out[e.name] = s
		}
	}
	return out
}

// describe is a line for those who trace.
func (t Tracing) describe(to *table) {
	if t.URL == "" {
		return
	}
	names := make([]string, 0, len(t.Headers))
	for name := range t.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	with := ""
	if len(names) > 0 {
		with = ", with " + strings.Join(names, ", ")
	}
	to.row("tracing", strconv.Itoa(t.Sample)+" of 100 calls to "+webQuery.ReplaceAllString(t.URL, "$1?***")+with)
}
