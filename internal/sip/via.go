package sip

import (
	"errors"
	"strings"
)

var errVia = errors.New("not a Via")

// Via is a view of one Via value (RFC 3261 §20.42).
type Via struct {
	Transport string // as written: "UDP", "TCP", "TLS", …
	Host      string // sent-by, without the brackets of an IPv6 address
	Port      int    // 0: none given
	Params    Params
}

// ParseVia reads one Via value; white space may stand around its slashes, colon, semicolons and equal signs
// (RFC 3261 §25.1).
func ParseVia(s string) (Via, error) {
	name, rest, ok := strings.Cut(s, "/")
	if !ok || !strings.EqualFold(trimLWS(name), "SIP") {
		return Via{}, errVia
	}
	version, rest, ok := strings.Cut(rest, "/")
	if !ok || trimLWS(version) != "2.0" {
		return Via{}, errVia
	}
	rest = trimLWS(rest)
	space := strings.IndexAny(rest, " \t")
	if space < 0 || !isToken(rest[:space]) {
		return Via{}, errVia
	}
	v := Via{Transport: rest[:space]}
	rest = trimLWS(rest[space:])
	sentBy := rest
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		sentBy, rest = trimLWS(rest[:i]), rest[i+1:]
	} else {
		rest = ""
	}
	var err error
	if v.Host, v.Port, err = parseHostport(sentBy); err != nil {
		return Via{}, err
	}
	v.Params, err = ParseParams(rest)
	return v, err
}

// Branch gives the branch parameter, "" if there is none (RFC 2543 peers).
func (v Via) Branch() string {
	branch, _ := v.Params.Get("branch")
	return branch
}

// String writes the Via value.
func (v Via) String() string {
	return "SIP/2.0/" + v.Transport + " " + FormatHostPort(v.Host, v.Port) + v.Params.String()
}
