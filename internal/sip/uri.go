package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

var (
	errURI     = errors.New("not a URI")
	errURIHost = errors.New("URI with a bad host")
	errURIPort = errors.New("bad port")
)

// URI is a SIP or SIPS URI in its parts (RFC 3261 §19.1.1), or another URI as Scheme and Opaque. Parts are kept as
// written: nothing is unescaped.
type URI struct {
	Scheme   string // lower case
	User     string
	Password string
	Host     string // without the brackets of an IPv6 address; "" when the scheme is not sip or sips
	Port     int    // 0: none given
	Params   Params
	Headers  string // after the question mark
	Opaque   string // everything after the colon when the scheme is not sip or sips
}

// ParseURI reads a URI. It is tolerant of what phones send: unescaped brackets and @ in the user part, quoted
// parameter values.
func ParseURI(s string) (URI, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isScheme(scheme) || rest == "" {
		return URI{}, errURI
	}
	if hasSpaceOrControl(rest) {
		return URI{}, fmt.Errorf("white space in a URI: %w", errURI)
	}
	u := URI{Scheme: strings.ToLower(scheme)}
	if u.Scheme != "sip" && u.Scheme != "sips" {
		u.Opaque = rest
		return u, nil
	}
	user, rest := splitUserinfo(rest)
	u.User, u.Password, _ = strings.Cut(user, ":")
	hostport, rest := cutHostport(rest)
	var err error
	if u.Host, u.Port, err = parseHostport(hostport); err != nil {
		return URI{}, err
	}
	// A question mark cannot stand in a parameter (paramchar, RFC 3261 §25.1), but may within quotes that we tolerate.
	if i := indexOutside(rest, '?', false); i >= 0 {
		rest, u.Headers = rest[:i], rest[i+1:]
	}
	if u.Params, err = ParseParams(rest); err != nil {
		return URI{}, err
	}
	return u, nil
}

// splitUserinfo cuts at the @ that ends the user part. That part may hold ; and ? (RFC 3261 §25.1), so the first @
// decides; a further one counts to the user as long as it stands before the parameters.
func splitUserinfo(s string) (user, rest string) {
	at := strings.IndexByte(s, '@')
	if at < 0 {
		return "", s
	}
	hostport, _ := cutHostport(s[at+1:])
	if more := strings.LastIndexByte(hostport, '@'); more >= 0 {
		at += 1 + more
	}
	return s[:at], s[at+1:]
}

func cutHostport(s string) (hostport, rest string) {
	if i := strings.IndexAny(s, ";?"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// parseHostport reads host [":" port] with white space around the colon, as Via allows it.
func parseHostport(s string) (host string, port int, err error) {
	var after string
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", 0, errURIHost
		}
		host, after = s[1:end], trimLWS(s[end+1:])
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", 0, errURIHost
		}
	} else {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			i = len(s)
		}
		host, after = trimLWS(s[:i]), s[i:]
		if !isHost(host) {
			return "", 0, errURIHost
		}
	}
	if after == "" {
		return host, 0, nil
	}
	if after[0] != ':' {
		return "", 0, errURIHost
	}
	port, err = parsePort(trimLWS(after[1:]))
	return host, port, err
}

func parsePort(s string) (int, error) {
	if !isDigits(s) || len(s) > 5 {
		return 0, errURIPort
	}
	port, err := strconv.Atoi(s)
	if err != nil || port > 65535 {
		return 0, errURIPort
	}
	return port, nil
}

// String writes the URI; what ParseURI has read comes back as it was but for the case of the scheme and a leading
// zero of the port.
func (u URI) String() string {
	if u.Opaque != "" {
		return u.Scheme + ":" + u.Opaque
	}
	tail := FormatHostPort(u.Host, u.Port) + u.Params.String()
	if u.Headers != "" {
		tail += "?" + u.Headers
	}
	user := u.User
	if u.Password != "" {
		user += ":" + u.Password
	}
	if user != "" || strings.IndexByte(tail, '@') >= 0 { // else an @ in a parameter would end the user part
		user += "@"
	}
	return u.Scheme + ":" + user + tail
}

// Transport gives the transport parameter in lower case, "" if there is none.
func (u URI) Transport() string {
	t, _ := u.Params.Get("transport")
	return strings.ToLower(t)
}

// Addr gives the host as an address if it is numeric.
func (u URI) Addr() (netip.Addr, bool) {
	a, err := netip.ParseAddr(u.Host)
	return a, err == nil
}

// FormatHostPort writes host:port; an IPv6 address gets its brackets, port 0 is left out.
func FormatHostPort(host string, port int) string {
	if strings.IndexByte(host, ':') >= 0 {
		host = "[" + host + "]"
	}
	if port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(port)
}
