package sip

import (
	"errors"
	"strings"
)

var (
	errNameAddr  = errors.New("not a name-addr")
	errAddrSpec  = errors.New("bad URI in a name-addr")
	errAfterAddr = errors.New("text after the URI of a name-addr")
)

// NameAddr is a view of a From, To, Contact, Route or similar value (RFC 3261 §20.10, §25.1).
type NameAddr struct {
	Display string // unquoted
	URI     string // raw, without brackets
	Params  Params // of the header field; those of the URI stay in URI
}

// Tag gives the tag parameter, "" if there is none.
func (n NameAddr) Tag() string {
	tag, _ := n.Params.Get("tag")
	return tag
}

// ParseNameAddr reads one name-addr or addr-spec with its parameters. Without brackets every parameter belongs to the
// header field (RFC 3261 §20).
func ParseNameAddr(s string) (NameAddr, error) { return parseNameAddr(s, nil) }

func parseNameAddr(s string, room Params) (NameAddr, error) {
	at, err := locate(s)
	if err != nil {
		return NameAddr{}, err
	}
	params, err := parseParams(s[at.params:], room)
	if err != nil {
		return NameAddr{}, err
	}
	return NameAddr{Display: Unquote(trimLWS(s[:at.display])), URI: s[at.uri:at.uriEnd], Params: params}, nil
}

// nameAddrReadable tells whether ParseNameAddr can read a value.
func nameAddrReadable(s string) bool {
	at, err := locate(s)
	if err != nil {
		return false
	}
	_, err = countParams(s[at.params:])
	return err == nil
}

// spans are the places of the parts in a name-addr value.
type spans struct {
	display     int // end of the display name, which starts at 0
	uri, uriEnd int
	bracketed   bool
	params      int // first semicolon, or the end
}

// locate finds the parts of a name-addr. A display name may be anything but a comma or an open quote: phones send
// dots and UTF-8 without quotes, and that changes no meaning.
func locate(s string) (spans, error) {
	i := 0
	for i < len(s) && s[i] != '<' && s[i] != ';' {
		switch s[i] {
		case '"':
			end, ok := skipQuoted(s, i)
			if !ok {
				return spans{}, errQuote
			}
			i = end
		case ',':
			return spans{}, errNameAddr
		default:
			i++
		}
	}
	if i < len(s) && s[i] == '<' {
		return locateBracketed(s, i)
	}
	return locateBare(s, i)
}

func locateBracketed(s string, open int) (spans, error) {
	n := strings.IndexByte(s[open:], '>')
	if n < 0 {
		return spans{}, errNameAddr
	}
	at := spans{display: open, uri: open + 1, uriEnd: open + n, bracketed: true}
	if at.uri == at.uriEnd || hasSpaceOrControl(s[at.uri:at.uriEnd]) {
		return spans{}, errAddrSpec
	}
	at.params = at.uriEnd + 1
	for at.params < len(s) && (s[at.params] == ' ' || s[at.params] == '\t') {
		at.params++
	}
	if at.params < len(s) && s[at.params] != ';' {
		return spans{}, errAfterAddr
	}
	return at, nil
}

// locateBare handles an addr-spec without brackets. It may hold no comma and no question mark (RFC 3261 §20): what
// follows could belong to the URI or to the field.
func locateBare(s string, end int) (spans, error) {
	at := spans{params: end, uriEnd: end}
	for at.uri < end && (s[at.uri] == ' ' || s[at.uri] == '\t') {
		at.uri++
	}
	for at.uriEnd > at.uri && (s[at.uriEnd-1] == ' ' || s[at.uriEnd-1] == '\t') {
		at.uriEnd--
	}
	uri := s[at.uri:at.uriEnd]
	colon := strings.IndexByte(uri, ':')
	if colon < 1 || !isScheme(uri[:colon]) || colon+1 == len(uri) || strings.ContainsAny(uri, "?\">") || hasSpaceOrControl(uri) {
		return spans{}, errAddrSpec
	}
	return at, nil
}
