package config

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"sidetrack/internal/redact"
	"sidetrack/policy"
)

// Describe prints what would happen with this configuration, for people:
// sections with aligned columns, in the order in which a call meets them.
// Header values and passwords that nobody should see are left out. Errors of w
// are ignored.
func (c *Config) Describe(w io.Writer) {
	t := &table{tw: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	c.describeSIP(t)
	c.describeRoutes(t)
	c.describeMedia(t)
	c.describeRecorders(t)
	c.describeRules(t)
	t.title("Around it")
	c.Journal.describe(t)
	c.HTTP.describe(t)
	c.Webhooks.describe(t)
	c.HEP.describe(t)
	c.Tracing.describe(t)
	c.Log.describe(t)
	_ = t.tw.Flush() // the writer's affair
}

func (l Log) describe(t *table) {
	redacted := ""
	if l.Redact {
		redacted = ", numbers of people masked"
	}
	most := ", no limit"
	if l.Rate > 0 {
		most = fmt.Sprintf(", at most %d lines a second", l.Rate)
	}
	t.row("log", strings.ToLower(l.Level.String())+", "+l.Format+redacted+most)
}

// table is a tabwriter with titles and rows.
type table struct {
	tw    *tabwriter.Writer
	begun bool
}

func (t *table) title(s string) {
	_ = t.tw.Flush() // each section aligns on its own
	if t.begun {
		_, _ = fmt.Fprintln(t.tw)
	}
	t.begun = true
	_, _ = fmt.Fprintln(t.tw, s)
}

// row prints its cells indented. Nothing in a cell can break the table or
// reach the terminal as a control sequence.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = oneLine(cell)
	}
	_, _ = fmt.Fprintln(t.tw, strings.TrimRight("  "+strings.Join(cells, "\t"), "\t "))
}

// matching prints a route or rule: one condition per row, and below them what
// follows.
func (t *table) matching(i int, name string, m policy.Match, outcome string) {
	all := conditions(m)
	t.row(fmt.Sprint(i+1), name, all[0])
	for _, c := range all[1:] {
		t.row("", "", "and "+c)
	}
	t.row("", "", "-> "+outcome)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c *Config) describeSIP(t *table) {
	t.title("Listeners")
	for _, l := range c.SIP.Listeners {
		words := "known to peers as " + l.Advertise
		if l.Own() {
			by := c.SIP.Admission(l)
			words += ", for calls of " + by.words()
			if l.ownSignIn && l.SignIn != nil {
				words += "; others " + l.SignIn.describe()
			}
		}
		t.row(l.URL, words)
	}
	t.title("Calls")
	t.row("who may start one", Admission{c.SIP.Trusted, c.SIP.Certified, c.SIP.SignIn}.words())
	if c.SIP.SignIn != nil {
		t.row("others", c.SIP.SignIn.describe())
	}
	most := "no limit"
	if c.SIP.MaxCalls > 0 {
		most = fmt.Sprintf("%d, then 503", c.SIP.MaxCalls)
	}
	t.row("at most", most)
	t.row("connections", fmt.Sprintf("at most %d, %d from one address", c.SIP.MaxConns, c.SIP.MaxConnsPerSource))
	if r := c.SIP.Rate; r != (Rate{}) {
		t.row("taken per second", "from one source "+perSecond(r.PerSource)+", in all "+perSecond(r.Total)+", then 503 or silence")
	}
	if c.SIP.DSCP > 0 {
		t.row("marked", fmt.Sprintf("DSCP %d", c.SIP.DSCP))
	}
	identity := "the same Call-ID and tags on both legs"
	if c.SIP.Identity == IdentityRewrite {
		identity = "Call-ID and tags of our own on each leg"
	}
	t.row("identity", identity)
	register := "the phone's Contact becomes ours"
	if c.SIP.Register == RegisterPath {
		register = "a Path beside the phone's Contact"
	}
	t.row("phones that register", register)
	if s := c.SIP.SessionExpires; s > 0 {
		t.row("session timer", short(s)+" on calls whose parties ask for none")
	}
	if c.SIP.Trace > 0 {
		t.row("messages kept", "up to "+sizeText(c.SIP.Trace)+" of memory, for ladders")
	}
	t.row("on stop", "running calls may last "+short(c.SIP.Drain))
	if tls := c.SIP.TLS; tls != nil {
		t.row("tls certificate", or(tls.Certificate, "none"))
		t.row("tls trusts", or(tls.CA, "the system's authorities"))
		if tls.VerifyClient {
			t.row("tls clients", "must show a certificate")
		}
	}
}

func (c *Config) describeRoutes(t *table) {
	t.title("Routes (first match wins; none: 404)")
	for i, r := range c.Policy.Routes {
		t.matching(i, r.Name, r.Match, routeOutcome(r))
	}
}

func perSecond(n int) string {
	if n == 0 {
		return "without limit"
	}
	return fmt.Sprint(n)
}

// routeExtras tells of the keys of a route beyond its targets.
func routeExtras(r policy.Route) string {
	s := ""
	if r.Parallel {
		s += ", all rung together"
	}
	if r.NoAnswer > 0 {
		s += ", ringing for " + short(r.NoAnswer)
	}
	if r.FailoverCodes != nil {
		s += ", the next one after " + strings.TrimPrefix(r.FailoverCodes.String(), "(?i)")
	}
	if r.FollowRedirects {
		s += ", redirections followed"
	}
	if r.Network != "" {
		s += ", media over " + r.Network
	}
	if r.Auth != nil {
		s += ", as user " + r.Auth.User
	}
	if legs := describeLegs(r.SRTP); legs != "" {
		s += ", " + legs
	}
	if r.Probe.Interval > 0 {
		s += ", asked every " + short(r.Probe.Interval)
	}
	for i, h := range r.Headers {
		if i == 0 {
			s += ", with"
		}
		s += " " + h.Name
	}
	return s
}

func (c *Config) describeMedia(t *table) {
	m := c.Media
	t.title("Media")
	t.row("bound to", m.Listen.String())
	t.row("told in SDP", m.Advertise.String())
	n := m.PortMax - m.PortMin + 1
	t.row("ports", fmt.Sprintf("%d-%d (UDP), for %d recorded calls with one audio stream each", m.PortMin, m.PortMax, n/portsPerCall))
	if m.DSCP > 0 {
		t.row("marked", fmt.Sprintf("DSCP %d", m.DSCP))
	}
	for _, i := range m.Networks {
		words := fmt.Sprintf("bound to %s, told in SDP %s, ports %d-%d", i.Listen, i.Advertise, i.PortMin, i.PortMax)
		if i.DSCP > 0 {
			words += fmt.Sprintf(", DSCP %d", i.DSCP)
		}
		if len(i.Listeners) > 0 {
			words += ", for legs by " + either(i.Listeners)
		}
		t.row("network "+i.Name, words)
	}
	silent := "never ended"
	if m.Timeout > 0 {
		silent = "ended after " + short(m.Timeout)
	}
	t.row("without RTP", silent)
	most := "whatever comes"
	if m.MaxRate > 0 {
		most = fmt.Sprintf("up to %d packets a second", m.MaxRate)
	}
	t.row("taken at a port", most)
	if legs := describeLegs(c.Policy.Registered); legs != "" {
		t.row("to registered phones", legs)
	}
	switch m.Batch {
	case 0:
	case AdaptiveBatch:
		t.row("copies", "leave four at a time under load")
	default:
		t.row("copies", fmt.Sprintf("leave %d at a time", m.Batch))
	}
}

func prefixes(ps []netip.Prefix) string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
		if p.IsSingleIP() {
			out[i] = p.Addr().String()
		}
	}
	return either(out)
}

func uris(us []string) string {
	out := make([]string, len(us))
	for i, u := range us {
		out[i] = redact.Passwords(u)
	}
	return strings.Join(out, ", then ")
}
