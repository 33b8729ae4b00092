package config

import (
	"net/url"
	"time"

	"sidetrack/policy"
)

// The time that a program has to decide.
const (
	defaultAsk = time.Second
	maxAsk     = 10 * time.Second
)

// ask reads who decides about a rule's calls.
func (d *decoder) ask(c cursor) *policy.Ask {
	a := &policy.Ask{Timeout: defaultAsk, OnError: policy.OnErrorRecord}
	ok := c.read(fields{
		{"url", func(c cursor) { a.URL = c.httpURL() }},
		{"token", func(c cursor) { a.Token, _ = c.oneLine("the secret, best as ${NAME}") }},
		{"timeout", func(c cursor) {
			if v, ok := c.duration(10*time.Millisecond, maxAsk, "500ms"); ok {
				a.Timeout = v
			}
		}},
		{"on_error", func(c cursor) { choose(c, &a.OnError, policy.OnErrorRecord, policy.OnErrorSkip) }},
	})
	if !ok {
		return nil
	}
	if c.n.get("url") == nil {
		c.failf("has no url; add url: https://HOST/PATH")
	}
	if u, err := url.Parse(a.URL); err == nil && a.Token != "" && u.Scheme == "http" && !loopbackHost(u.Hostname()) {
		c.warnf("the token goes in clear to %s; write https", u.Host)
	}
	return a
}

// httpURL reads an absolute URL of http or https, without a user in it.
func (c cursor) httpURL() string {
	const want = "a URL such as https://host.example/path"
	s, ok := c.word(want)
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		c.failf("%s is no URL of http or https; write %s", c.show(), want)
		return ""
	}
	return s
}
