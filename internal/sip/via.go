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
func ParseVia(s string) (Via, error) { return parseVia(s, nil) }

func parseVia(s string, room Params) (Via, error) {
	v, params, err := cutVia(s)
	if err != nil {
		return Via{}, err
	}
	v.Params, err = parseParams(params, room)
	return v, err
}

// cutVia reads all of a Via value but its parameters.
func cutVia(s string) (v Via, params string, err error) {
	name, rest, ok := strings.Cut(s, "/")
	if !ok || !strings.EqualFold(trimLWS(name), "SIP") {
		return Via{}, "", errVia
	}
	version, rest, ok := strings.Cut(rest, "/")
	if !ok || trimLWS(version) != "2.0" {
		return Via{}, "", errVia
	}
	rest = trimLWS(rest)
	space := indexLWS(rest)
	if space < 0 || !isToken(rest[:space]) {
		return Via{}, "", errVia
	}
	v.Transport = rest[:space]
	sentBy, params, _ := strings.Cut(rest[space:], ";")
	v.Host, v.Port, err = parseHostport(trimLWS(sentBy))
	return v, params, err
}

// viaReadable tells whether ParseVia can read a value.
func viaReadable(s string) bool {
	_, params, err := cutVia(s)
	if err != nil {
		return false
	}
	_, err = countParams(params)
	return err == nil
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
