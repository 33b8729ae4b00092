package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// target is a SIP URI that a request can be sent to, as far as the checks
// across sections need it.
type target struct {
	host      string
	addr      netip.Addr // valid when the host is numeric
	port      int        // 0: not given
	transport string     // udp, tcp, tls; "" when the URI leaves it open
}

// parseTarget is stricter than what is accepted from the wire (RFC 3261
// §19.1.1): a slip of the pen in a file is to be found when it is loaded.
func parseTarget(s string) (target, error) {
	if strings.ContainsAny(s, "<>\" \t\r\n") {
		return target{}, errors.New("holds blanks, quotes or brackets; write the URI alone, such as sip:192.0.2.20:5060")
	}
	scheme, rest, ok := strings.Cut(s, ":")
	secure := strings.EqualFold(scheme, "sips")
	if slices.Contains([]string{"tel", "http", "https", "udp", "tcp", "tls", "ws", "wss", "h323"}, strings.ToLower(scheme)) {
		return target{}, fmt.Errorf("is a %s: URI; write a sip: one", scheme)
	}
	if !ok || !secure && !strings.EqualFold(scheme, "sip") {
		return target{}, fmt.Errorf("has no scheme; write sip:%s", strings.TrimPrefix(s, "//"))
	}
	rest, headers, _ := strings.Cut(rest, "?")
	if headers != "" {
		return target{}, errors.New("has headers after ?; remove them")
	}
	hostport, params, some := strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], ";")
	t, err := parseHostPort(hostport)
	if err != nil {
		return target{}, err
	}
	if at := strings.LastIndexByte(rest, '@'); at == 0 {
		return target{}, errors.New("has nothing before @; remove the @")
	}
	if some {
		t.transport, err = transportOf(params)
	}
	if secure {
		if t.transport == "udp" {
			return target{}, errors.New("is sips: over udp, which does not exist; write sip: or transport=tcp")
		}
		t.transport = "tls"
	}
	return t, err
}

func parseHostPort(s string) (target, error) {
	var t target
	host, port := s, ""
	switch end := strings.IndexByte(s, ']'); {
	case strings.HasPrefix(s, "[") && end > 0:
		host, port = s[1:end], s[end+1:]
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || port != "" && port[0] != ':' {
			return t, fmt.Errorf("has %q for a host; write an IPv6 address as [2001:db8::1]", s)
		}
	case strings.Count(s, ":") > 1:
		return t, fmt.Errorf("has %q for a host; write an IPv6 address in brackets", s)
	default:
		if i := strings.IndexByte(s, ':'); i >= 0 {
			host, port = s[:i], s[i:]
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port[1:], 10, 16)
		if err != nil || n == 0 {
			return t, fmt.Errorf("has port %q; write one from 1 to 65535", port[1:])
		}
		t.port = int(n)
	}
	t.host = host
	t.addr, _ = netip.ParseAddr(host)
	switch {
	case host == "":
		return t, errors.New("has no host; write one, such as sip:192.0.2.20:5060")
	case t.addr.IsValid() && (t.addr.IsUnspecified() || t.addr.IsMulticast()):
		return t, fmt.Errorf("has %s for a host, which nothing can be sent to; write the address of the peer", host)
	case !t.addr.IsValid() && (!validHost(host) || numeric(host)):
		return t, fmt.Errorf("has %q for a host; write a host name or an address", host)
	}
	return t, nil
}

// transportOf reads the transport parameter among those of a URI.
func transportOf(params string) (string, error) {
	found := ""
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(p, "=")
		if name == "" {
			return "", errors.New("has an empty parameter; remove the semicolon")
		}
		if !strings.EqualFold(name, "transport") {
			continue
		}
		found = strings.ToLower(value)
		if found != "udp" && found != "tcp" && found != "tls" {
			return "", fmt.Errorf("has transport=%s; write udp, tcp or tls", value)
		}
	}
	return found, nil
}

// uri reads one SIP URI.
func (c cursor) uri(example string) (target, bool) {
	s, ok := c.word("a SIP URI such as " + example)
	if !ok {
		return target{}, false
	}
	t, err := parseTarget(s)
	if err != nil {
		c.failf("%s %s", c.show(), c.reason(err))
		return target{}, false
	}
	return t, true
}
