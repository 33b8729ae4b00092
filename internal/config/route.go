package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sidetrack/policy"
)

// requestURI is the target that stands for the Request-URI itself.
const requestURI = "request-uri"

// The values of routes[].mode.
const (
	modeSerial   = "serial"   // targets are tried in order
	modeParallel = "parallel" // targets are rung together
)

// maxParallel is how many targets may be rung together.
const maxParallel = 10

// registeredRoute is the name under which rules find the calls to phones that
// registered through us; no route of the file decides about them.
const registeredRoute = "registered"

func (d *decoder) routeList(c cursor) {
	for i, item := range c.items("routes") {
		d.route(item, i)
	}
}

func (d *decoder) route(c cursor, i int) {
	r := policy.Route{Name: fmt.Sprintf("route-%d", i+1)}
	ok := c.read(fields{
		{"name", func(c cursor) { d.name(c, &r.Name) }},
		{"match", func(c cursor) { r.Match = d.match(c, false) }},
		{"to", func(c cursor) { r.Targets, r.RequestURI = d.routeTo(c) }},
		{"mode", func(c cursor) {
			mode, _ := c.oneOf(modeSerial, modeParallel)
			r.Parallel = mode == modeParallel
		}},
		{"no_answer", func(c cursor) { r.NoAnswer, _ = c.duration(0, time.Hour, "20s") }},
		{"failover_codes", func(c cursor) { r.FailoverCodes = c.codes("nobody's busy or no is ever told") }},
		{"follow_redirects", func(c cursor) { r.FollowRedirects, _ = c.boolean() }},
		{"headers", func(c cursor) { r.Headers = c.routeHeaders() }},
		{"network", func(c cursor) { d.networkRef(c, &r.Network) }},
		{"auth", func(c cursor) { r.Auth = c.credentials() }},
		{"srtp", func(c cursor) { r.SRTP = c.legs() }},
		{"probe", func(c cursor) { r.Probe = c.routeProbe() }},
		{"record_aware", func(c cursor) { c.aware(&r.Aware) }},
	})
	if !ok {
		return
	}
	if c.n.get("to") == nil {
		c.failf("has no target; add to: sip:HOST:PORT, or to: %s", requestURI)
	}
	if r.RequestURI && r.Probe.Interval > 0 {
		c.warnf("probe has no effect: who is asked is in each request")
	}
	if r.Parallel && len(r.Targets) > maxParallel {
		c.failf("rings %d targets together; name at most %d", len(r.Targets), maxParallel)
	}
	if r.Name == registeredRoute {
		c.failf("%q is the name of the way to registered phones; choose another name", r.Name)
	}
	if d.routes[r.Name] {
		c.failf("a second route is called %q; choose another name", r.Name)
	}
	d.routes[r.Name] = true
	d.routeLegs(c, len(d.cfg.Policy.Routes), r.SRTP)
	if place := len(d.cfg.Policy.Routes); c.n.get("record_aware") == nil {
		d.later(func() { d.cfg.Policy.Routes[place].Aware = d.cfg.Policy.Aware })
	}
	d.cfg.Policy.Routes = append(d.cfg.Policy.Routes, r)
}

// name reads the name of a route or a rule.
func (d *decoder) name(c cursor, into *string) {
	s, ok := c.word("a name")
	if !ok {
		return
	}
	if len(s) > 64 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		c.failf("%s is no name; write up to 64 characters on one line", c.show())
		return
	}
	*into = s
}

// aware reads how phones are told of recording.
func (c cursor) aware(into *policy.Awareness) {
	choose(c, into, policy.AwareUpdates, policy.AwareDescriptions, policy.AwareOff)
}

// credentials reads what is shown to targets that ask for it.
func (c cursor) credentials() *policy.Credentials {
	var out policy.Credentials
	ok := c.read(fields{
		{"user", func(c cursor) { out.User, _ = c.oneLine("a user name") }},
		{"password", func(c cursor) { out.Password, _ = c.oneLine("a password, such as ${TRUNK_PASSWORD}") }},
	})
	if !ok {
		return nil
	}
	for _, name := range []string{"user", "password"} {
		if c.n.get(name) == nil {
			c.failf("has no %s; add it", name)
		}
	}
	return &out
}

// oneLine reads a text without control characters.
func (c cursor) oneLine(want string) (string, bool) {
	s, ok := c.text(want)
	if ok && (s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })) {
		c.failf("is empty or has more than one line; write %s", want)
		return "", false
	}
	return s, ok
}

// routeHeaders reads the headers that a route sets.
func (c cursor) routeHeaders() []policy.RouteHeader {
	var out []policy.RouteHeader
	for _, h := range c.headerTemplates(false) {
		out = append(out, policy.RouteHeader{Name: h.Name, Value: h.Value, Secret: h.Secret})
	}
	return out
}

// dialled reads a target that may have headers behind it, ?X-Name=value (RFC
// 3261 §19.1.1).
func (c cursor) dialled(example string) (target, bool) {
	s, query, some := strings.Cut(c.n.text, "?")
	if !some {
		return c.uri(example)
	}
	t, err := parseTarget(s)
	if err != nil {
		c.failf("%s %s", c.show(), c.reason(err))
		return target{}, false
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, given := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(value); err != nil || !given || !token(name) {
			c.failf("%s has headers that cannot be read; write ?X-Name=value&X-Other=value, with %%20 for a blank", c.show())
			return target{}, false
		}
		if slices.ContainsFunc(reserved, func(s string) bool { return strings.EqualFold(s, name) }) ||
			strings.EqualFold(name, "From") || strings.EqualFold(name, "To") {
			c.failf("%s sets the header %s, which is set by sidetrack itself; remove it", c.show(), name)
			return target{}, false
		}
	}
	return t, true
}

// checkTarget holds a target against our own sockets. We must not send to
// ourselves; UDP leaves from a socket of that address family, and a connection
// borrows the identity of one when there is none of its own transport.
func (d *decoder) checkTarget(c cursor, t target) {
	proto, port := t.transport, t.port
	if proto == "" {
		proto = "udp"
	}
	if port == 0 {
		port = defaultPort(proto)
	}
	fits := false
	for _, l := range d.cfg.SIP.Listeners {
		sameFamily := !t.addr.IsValid() || t.addr.Is4() == l.Addr.Addr().Is4()
		fits = fits || sameFamily && (proto != "udp" || l.Proto == "udp")
		if l.Proto == proto && int(l.Addr.Port()) == port && (t.host == l.Advertise || t.addr.IsValid() && t.addr == l.Addr.Addr()) {
			c.failf("%s is this proxy's own socket %s; write the address of the peer", c.show(), l.URL)
			return
		}
	}
	if fits || t.transport == "" && !t.addr.IsValid() || len(d.cfg.SIP.Listeners) == 0 {
		return
	}
	wildcard := "0.0.0.0"
	if t.addr.IsValid() && t.addr.Is6() {
		wildcard = "[::]"
	}
	c.failf("%s cannot be reached: there is no %s socket of its address family; add %s://%s:%d to sip.listen",
		c.show(), proto, proto, wildcard, defaultPort(proto))
}

// finishRoutes notes what is missing and what can never be reached.
func (d *decoder) finishRoutes(root cursor) {
	n := root.n.get("routes")
	switch {
	case n == nil:
		d.addf(root.section("routes"), "routes", "is missing: without a route no call goes anywhere; write routes: [{to: sip:HOST:PORT}]")
	case n.null() || n.kind == list && len(n.items) == 0:
		d.addf(root.section("routes"), "routes", "is empty: without a route no call goes anywhere; write - to: sip:HOST:PORT")
	case n.kind == list:
		d.unreachable(n, "routes", "route", len(d.cfg.Policy.Routes), func(i int) (string, policy.Match, bool) {
			return d.cfg.Policy.Routes[i].Name, d.cfg.Policy.Routes[i].Match, false
		})
	}
}

// unreachable warns of what stands behind an entry that takes everything.
func (d *decoder) unreachable(n *node, path, what string, count int, at func(int) (name string, m policy.Match, goesOn bool)) {
	if count != len(n.items) { // some could not be read: positions differ
		return
	}
	for i := range count - 1 {
		if name, m, goesOn := at(i); m.Empty() && !goesOn {
			next, _, _ := at(i + 1)
			d.warnf(n.items[i+1].line, fmt.Sprintf("%s[%d]", path, i+1),
				"%s %q and what follows are never reached: %q before it takes everything; move it up", what, next, name)
			return
		}
	}
}
