package policy

import (
	"net/netip"
	"strings"
	"time"
)

// Invite is what the rules and templates know about a request that starts a
// dialog. It is filled once by the caller and only read here.
type Invite struct {
	Method     string     // request method, case as received
	RequestURI string     // byte for byte as received
	CallID     string     // Call-ID of the originating leg
	From, To   Address    // RFC 3261 §20.20, §20.39
	Source     netip.Addr // sender of the packet
	Listener   string     // URL of the listener that received it, as configured
	Headers    []Header   // all header fields in order of arrival
	Route      string     // name of the route taken; "" until one is chosen
	Received   time.Time  // when it came

	Answered []Header // header fields of the 2xx; nil until then

	Codecs []string // names of the codecs that the offer names (a=rtpmap, or the static payload type's of RFC 3551)
}

// Answer returns the value of the first header field called name of the 2xx
// that answered the call, "" when it has none or the call is not answered. It
// is for what is made of a call that goes on: rules never see it.
func (i *Invite) Answer(name string) string { return first(i.Answered, name) }

// Address is a From or To header taken apart.
type Address struct {
	URI     string // the URI alone, without brackets, name and header parameters
	User    string // user part of the URI, "" when it has none
	Host    string // host part of the URI without port
	Display string // display name without quotes
}

// Header is one header field line.
type Header struct{ Name, Value string }

// Header returns the value of the first header field called name, or "" when
// the request has none. Names compare without regard to case, and a compact
// form equals its long form (RFC 3261 §7.3.3).
func (i *Invite) Header(name string) string { return first(i.Headers, name) }

func first(headers []Header, name string) string {
	for k := range headers {
		if sameName(headers[k].Name, name) {
			return headers[k].Value
		}
	}
	return ""
}

// Sample returns an Invite that has everything templates can ask for by name,
// to try them out on.
func Sample() *Invite {
	a := Address{URI: "sip:alice@example.com", User: "alice", Host: "example.com", Display: "Alice"}
	return &Invite{
		Method: "INVITE", RequestURI: "sip:bob@example.com", CallID: "1@example.com", From: a, To: a,
		Source: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Listener: "udp://192.0.2.1:5060", Route: "in",
	}
}

// addressesIn finds the addresses of a header's value: a list of URIs in angle
// brackets, or one bare URI. What stands in quotes is a name and no address.
func addressesIn(value string) []Address {
	var out []Address
	quoted, begin := false, -1
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && begin < 0:
			quoted = !quoted
		case quoted:
		case c == '<':
			begin = i + 1
		case c == '>' && begin >= 0:
			out = append(out, addressIn(value[begin:i]))
			begin = -1
		}
	}
	if out == nil && begin < 0 && !strings.Contains(value, `"`) {
		out = append(out, addressIn(strings.TrimSpace(value)))
	}
	return out
}

// addressIn takes a sip, sips or tel URI apart, as far as lists of numbers need.
func addressIn(uri string) Address {
	a := Address{URI: uri}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || strings.EqualFold(scheme, "tel") {
		return a
	}
	user, host, ok := strings.Cut(rest, "@")
	if !ok {
		return a
	}
	a.User, _, _ = strings.Cut(user, ":")
	if end := strings.IndexAny(host, ":;?"); end >= 0 && host[0] != '[' {
		host = host[:end]
	}
	a.Host = host
	return a
}

func sameName(a, b string) bool {
	return strings.EqualFold(longName(a), longName(b))
}

// longName gives the long form of a one-letter header name. Compact forms:
// RFC 3261 §20 and the IANA registry of SIP header fields.
func longName(name string) string {
	if len(name) != 1 {
		return name
	}
	switch name[0] | 0x20 {
	case 'a':
		return "Accept-Contact"
	case 'b':
		return "Referred-By"
	case 'c':
		return "Content-Type"
	case 'd':
		return "Request-Disposition"
	case 'e':
		return "Content-Encoding"
	case 'f':
		return "From"
	case 'i':
		return "Call-ID"
	case 'j':
		return "Reject-Contact"
	case 'k':
		return "Supported"
	case 'l':
		return "Content-Length"
	case 'm':
		return "Contact"
	case 'n':
		return "Identity-Info"
	case 'o':
		return "Event"
	case 'r':
		return "Refer-To"
	case 's':
		return "Subject"
	case 't':
		return "To"
	case 'u':
		return "Allow-Events"
	case 'v':
		return "Via"
	case 'x':
		return "Session-Expires"
	case 'y':
		return "Identity"
	}
	return name
}
