package config

import (
	"net/netip"
	"os"
	"slices"
	"strings"
)

// HTTP is the API, the metrics and the health checks, and who may use them.
type HTTP struct {
	Listen        string  // host:port; "": off
	Socket        string  // file name of the unix socket; "": none
	TLS           *TLS    // nil: in clear
	Local         Role    // of requests from this host without a token
	Tokens        []Token // in the order of the file
	PublicMetrics bool    // metrics without a token, from everywhere
	Rate          int     // requests per second from one address; 0: no limit
	Audit         string  // file that gets a JSON line for each control action; "": the log only
}

// Role is what somebody may do, each the one before included.
type Role string

// The roles.
const (
	RoleNone    Role = "none"    // ask for the health
	RoleRead    Role = "read"    // see calls, recordings, metrics and events
	RoleControl Role = "control" // pause, resume, start, stop and move recordings
	RoleAdmin   Role = "admin"   // everything: drain SRSs, reload, see the configuration
)

// Token is a secret that stands for somebody.
type Token struct {
	Name   string // for the audit log
	Role   Role
	Secret string
}

const minToken = 16 // characters: nobody guesses so many

func defaultHTTP() HTTP { return HTTP{Listen: "127.0.0.1:8080", Local: RoleAdmin, Rate: 100} }

func (d *decoder) http(c cursor) {
	h := &d.cfg.HTTP
	c.read(fields{
		{"listen", d.httpListen},
		{"socket", func(c cursor) {
			if h.Socket = d.fileName(c); h.Socket != "" {
				c.need(func() error { return socketToMake(h.Socket) })
			}
		}},
		{"tls", d.tls(&h.TLS)},
		{"local", func(c cursor) {
			if v, ok := c.oneOf(string(RoleNone), string(RoleRead), string(RoleControl), string(RoleAdmin)); ok {
				h.Local = Role(v)
			}
		}},
		{"tokens", func(c cursor) {
			for _, item := range c.items("tokens") {
				d.token(item)
			}
		}},
		{"public_metrics", func(c cursor) {
			if v, ok := c.boolean(); ok {
				h.PublicMetrics = v
			}
		}},
		{"rate", func(c cursor) { c.perSecond(&h.Rate) }},
		{"audit", func(c cursor) {
			if h.Audit = d.fileName(c); h.Audit != "" {
				c.need(func() error { return fileToWrite(h.Audit) })
			}
		}},
	})
	if h.TLS != nil && h.TLS.Certificate == "" && h.TLS.Key == "" {
		if h.TLS.CA != "" {
			c.failf("tls without a certificate; add certificate and key, or remove tls")
		}
		h.TLS = nil // each "": none
	}
	d.warnHTTP(c)
}

func (d *decoder) httpListen(c cursor) {
	const want = `host:port such as 127.0.0.1:8080, or "" for off`
	s, ok := c.text(want)
	if !ok {
		return
	}
	if s != "" {
		if _, _, err := splitHostPort(s); err != nil {
			c.failf("%s is no address to listen on; write %s", c.show(), want)
			return
		}
	}
	d.cfg.HTTP.Listen = s
	if at, err := netip.ParseAddrPort(s); err == nil {
		c.need(func() error { return bindable("tcp", at) })
	}
}

// token reads one of http.tokens.
func (d *decoder) token(c cursor) {
	var t Token
	var given, file bool
	ok := c.read(fields{
		{"name", func(c cursor) {
			if s, ok := c.word("a name for the audit log"); ok {
				t.Name = s
			}
		}},
		{"role", func(c cursor) {
			if v, ok := c.oneOf(string(RoleRead), string(RoleControl), string(RoleAdmin)); ok {
				t.Role = Role(v)
			}
		}},
		{"token", func(c cursor) {
			given = true
			if s, ok := c.word("the secret, better as ${NAME}"); ok {
				t.Secret = s
				c.strongEnough(s)
			}
		}},
		{"file", func(c cursor) {
			if name := d.fileName(c); name != "" {
				file = true
				t.Secret = c.secretFile(name)
			}
		}},
	})
	if !ok {
		return
	}
	switch {
	case t.Name == "" && !c.noted("name"):
		c.failf("has no name; add name: who uses it, for the audit log")
	case slices.ContainsFunc(d.cfg.HTTP.Tokens, func(o Token) bool { return o.Name == t.Name }):
		c.failf("name %s is taken by a token before it; choose another", t.Name)
	case t.Role == "" && !c.noted("role"):
		c.failf("has no role; add role: read, control or admin")
	case given == file:
		c.failf("needs its secret once; write either token: ${NAME} or file: NAME")
	case t.Secret != "" && slices.ContainsFunc(d.cfg.HTTP.Tokens, func(o Token) bool { return o.Secret == t.Secret }):
		c.failf("has the secret of a token before it; each needs its own")
	default:
		d.cfg.HTTP.Tokens = append(d.cfg.HTTP.Tokens, t)
	}
}

// noted tells whether a key below was given: what is wrong with it has been said.
func (c cursor) noted(name string) bool { return c.n.get(name) != nil }

// secretFile reads a secret from a file of its own, blanks around it left out.
func (c cursor) secretFile(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		c.failf("%v", fileError(name, err))
		return ""
	}
	s := strings.TrimSpace(string(b))
	c.strongEnough(s)
	return s
}

// strongEnough refuses secrets that can be guessed, and those that no header can carry.
func (c cursor) strongEnough(s string) {
	switch {
	case len(s) < minToken:
		c.failf("the secret has less than %d characters; make one with: openssl rand -hex 24", minToken)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		c.failf("the secret holds blanks or characters beyond ASCII; make one with: openssl rand -hex 24")
	}
}

// warnHTTP tells of what others could see or not do.
func (d *decoder) warnHTTP(c cursor) {
	h := d.cfg.HTTP
	if h.Listen == "" || loopback(h.Listen) {
		return
	}
	at := cursor{d, join(c.path, "listen"), c.n.get("listen")}
	if at.n == nil {
		return
	}
	switch {
	case len(h.Tokens) == 0 && !h.PublicMetrics:
		at.warnf("others reach %s, but without http.tokens they get nothing but the health; add tokens, or write 127.0.0.1", at.show())
	case len(h.Tokens) > 0 && h.TLS == nil:
		at.warnf("tokens go in clear to %s; add http.tls", at.show())
	}
}

// loopback tells whether only this host reaches an address.
func loopback(hostport string) bool {
	host, _, err := splitHostPort(hostport)
	return err == nil && loopbackHost(host)
}

func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// finishHTTP compares with the sockets for SIP. The port may be the default
// one, so it is the socket for SIP that is told to move.
func (d *decoder) finishHTTP(root cursor) {
	if d.cfg.HTTP.Listen == "" {
		return
	}
	host, port, _ := splitHostPort(d.cfg.HTTP.Listen)
	addr, _ := netip.ParseAddr(host)
	for _, l := range d.cfg.SIP.Listeners {
		same := !addr.IsValid() || addr.IsUnspecified() || l.Addr.Addr().IsUnspecified() || l.Addr.Addr() == addr
		if l.Proto != "udp" && int(l.Addr.Port()) == port && port != 0 && same {
			d.addf(root.n.get("sip").get("listen").line, "sip.listen", "%s has the port of http.listen (%s); choose another for one of them", l.URL, d.cfg.HTTP.Listen)
		}
	}
}

// describe is how the API is reached, and by whom.
func (h HTTP) describe(t *table) {
	listen := or(h.Listen, "off")
	if h.Listen != "" && h.TLS != nil {
		listen += " (TLS)"
	}
	t.row("http", listen)
	if h.Socket != "" {
		t.row("", "unix socket "+h.Socket)
	}
	if h.Listen == "" {
		return
	}
	t.row("", "without a token, from this host: "+string(h.Local))
	for _, k := range h.Tokens {
		t.row("", "token "+k.Name+": "+string(k.Role))
	}
	if h.Audit != "" {
		t.row("audit", h.Audit)
	}
}
