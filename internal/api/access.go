package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Role is what somebody may do; each includes those before it.
type Role int

// The roles.
const (
	RoleNone    Role = iota // ask for the health
	RoleRead                // see
	RoleControl             // change recordings
	RoleAdmin               // change the proxy
)

// String is the role's name, as in the configuration.
func (r Role) String() string { return [...]string{"none", "read", "control", "admin"}[r] }

// Token is a secret that stands for somebody.
type Token struct {
	Name   string
	Role   Role
	Secret string
}

// Access says who may do what.
type Access struct {
	Tokens []Token
	// Local is the role of a request from this host that shows no token and was
	// not passed on by a reverse proxy.
	Local         Role
	PublicMetrics bool // metrics for everybody
	Rate          int  // requests per second of one address; 0: no limit
}

// Caller is who asks.
type Caller struct {
	Name   string // of the token; "local" without; "socket" with the user's id on the unix socket
	Role   Role
	Source string // address, without port
}

type callerKey struct{}

// callerOf is who asks; the zero Caller for what needs no name.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

type socketKey struct{}

// connContext marks connections of the unix socket: who may open it may do
// everything.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if b, ok := c.(*boundedConn); ok {
		c = b.Conn
	}
	if u, ok := c.(*net.UnixConn); ok {
		return context.WithValue(ctx, socketKey{}, Caller{Name: "socket" + peerUser(u), Role: RoleAdmin, Source: "socket"})
	}
	return ctx
}

// hashed is the tokens by the hash of their secret: what is compared has the
// same length and no likeness to what was sent.
type hashed []struct {
	sum  [sha256.Size]byte
	name string
	role Role
}

func hash(tokens []Token) hashed {
	h := make(hashed, len(tokens))
	for i, t := range tokens {
		h[i].sum, h[i].name, h[i].role = sha256.Sum256([]byte(t.Secret)), t.Name, t.Role
	}
	return h
}

// find compares with every token, so that the time taken tells nothing.
func (h hashed) find(secret string) (name string, role Role, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	for i := range h {
		if subtle.ConstantTimeCompare(sum[:], h[i].sum[:]) == 1 {
			name, role, ok = h[i].name, h[i].role, true
		}
	}
	return name, role, ok
}

// identify says who asks; wrong is what is wrong with his credentials.
func (t *terms) identify(r *http.Request) (c Caller, wrong string) {
	if c, ok := r.Context().Value(socketKey{}).(Caller); ok {
		return c, ""
	}
	from := source(r)
	c.Source = from.String()
	if header := r.Header.Get("Authorization"); header != "" {
		secret, ok := secretOf(r, header)
		if !ok {
			return c, "credentials are Authorization: Bearer TOKEN, or Basic with the token as password"
		}
		name, role, ok := t.tokens.find(secret)
		if !ok {
			return c, "the token is not known"
		}
		c.Name, c.Role = name, role
		return c, ""
	}
	if !from.IsLoopback() || forwarded(r) {
		return c, "a token is needed: Authorization: Bearer TOKEN"
	}
	if !ownName(r.Host) {
		return c, "without a token this host is asked by its address or as localhost, not as " + r.Host
	}
	c.Name, c.Role = "local", t.access.Local
	return c, ""
}

// secretOf is the token in a request's credentials. Browsers know Basic only: the
// token is the password then, and the user's name does not count.
func secretOf(r *http.Request, header string) (string, bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, secret, _ := strings.Cut(header, " ")
	return strings.TrimSpace(secret), strings.EqualFold(scheme, "Bearer")
}

// challenge asks for credentials in the way that the asker can show them: a
// browser that opens the page asks its user for a password.
func challenge(r *http.Request) string {
	if wantsPage(r) {
		return `Basic realm="sidetrack: the token is the password", charset="UTF-8"`
	}
	return `Bearer realm="sidetrack"`
}

// forwarded tells that a reverse proxy on this host passes on what others ask.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// ownName tells whether a Host is an address or localhost. A page from
// elsewhere whose name has been made to point here (DNS rebinding) shows its own.
func ownName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

// source is the address that a request comes from.
func source(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap().WithZone("")
}
