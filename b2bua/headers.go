package b2bua

import (
	"slices"
	"strconv"
	"strings"

	"sidetrack/internal/sip"
)

// Header fields of a message that crosses the call are passed as they are and
// in their order (RFC 7092 §3.1.2), except those that belong to one leg: these
// stay in their place with our value, or go.

// ownHeaders are the fields of one leg, by lower-case name. A compact form maps
// to its long form.
var ownHeaders = map[string]string{
	"via": "Via", "v": "Via",
	"record-route": "Record-Route", "route": "Route",
	"from": "From", "f": "From", "to": "To", "t": "To",
	"call-id": "Call-ID", "i": "Call-ID", "cseq": "CSeq",
	"max-forwards": "Max-Forwards",
	"contact":      "Contact", "m": "Contact",
	"content-length": "Content-Length", "l": "Content-Length",
	"path": "Path", "service-route": "Service-Route",
}

// longestOwn is the length of the longest name in ownHeaders.
const longestOwn = len("content-length")

// ownHeader returns the long name of a field that belongs to one leg, else "".
func ownHeader(name string) string {
	if len(name) > longestOwn {
		return ""
	}
	var lower [longestOwn]byte
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return ownHeaders[string(lower[:len(name)])]
}

// mirror appends the header fields of from to to, which holds our own fields
// already: each of these takes the place its namesake has in from, everything
// else of from is copied verbatim. Fields of ours that from lacks keep the
// front.
func mirror(to, from *sip.Message) {
	ours, theirs := namesOf(to.Headers, make([]string, 0, 16)), namesOf(from.Headers, make([]string, 0, 48))
	out := make([]sip.Header, 0, len(ours)+len(theirs))
	for i, name := range ours {
		if name == "" || !slices.Contains(theirs, name) {
			out = append(out, to.Headers[i])
			ours[i] = ""
		}
	}
	counted := false
	for k, name := range theirs {
		if name == "" {
			out = append(out, from.Headers[k])
			continue
		}
		for i := range ours {
			if ours[i] == name {
				out = append(out, sip.Header{Name: from.Headers[k].Name, Value: to.Headers[i].Value})
				ours[i] = "" // placed
			}
		}
		if name == "Content-Length" && !counted {
			counted = true
			out = append(out, sip.Header{Name: from.Headers[k].Name})
		}
	}
	to.Headers = out
	to.Body = from.Body
}

// namesOf appends the ownHeader of each field.
func namesOf(headers []sip.Header, names []string) []string {
	for _, h := range headers {
		names = append(names, ownHeader(h.Name))
	}
	return names
}

// passed lists option tags that work through us end to end, because we pass
// the requests and headers they need (RFC 3261 §8.2.2.3). Anything else in
// Require is refused rather than promised.
var passed = map[string]bool{
	"100rel": true, "timer": true, "replaces": true, "join": true, "norefersub": true,
	"precondition": true, "histinfo": true, "from-change": true,
	"resource-priority": true, "answermode": true, "tdialog": true, "199": true,
	"multiple-refer": true, "explicitsub": true, "nosub": true, "record-aware": true,
	"geolocation-sip": true, "geolocation-http": true, // RFC 6442
	"recipient-list-invite": true, "recipient-list-message": true, "recipient-list-subscribe": true, // RFC 5366, 5365, 5367
	"uui": true, "sdp-anat": true, "ice": true, "gruu": true, "pref": true, "policy": true,
}

// unknownExtensions lists the tags in a field, Require or Proxy-Require, that we
// cannot carry, "" if none.
func unknownExtensions(req *sip.Message, field string) string {
	var unknown []string
	for _, tag := range req.List(field) {
		if tag = strings.TrimSpace(tag); tag != "" && !carries(req, strings.ToLower(tag)) {
			unknown = append(unknown, tag)
		}
	}
	return strings.Join(unknown, ", ")
}

// carries tells whether an extension works through us. A recording session does where
// a recording client begins it (RFC 7866 §6.1.1); one that a recorder begins is for
// us to take, or to refuse.
func carries(req *sip.Message, tag string) bool {
	if tag != "siprec" {
		return passed[tag]
	}
	for _, value := range req.List("Contact") {
		if contact, err := sip.ParseNameAddr(value); err == nil && contact.Params.Has("+sip.src") {
			return true
		}
	}
	return false
}

// maxForwards is the hop count of a request, 70 when it has none that can be
// read (RFC 3261 §16.3).
func maxForwards(req *sip.Message) int {
	n, err := strconv.Atoi(strings.TrimSpace(req.Get("Max-Forwards")))
	if err != nil || n < 0 || n > 255 {
		return 70
	}
	return n
}

// ourContact is the Contact we put in the place of a party's: its display name
// and feature tags with our URI.
func ourContact(theirs, uri string) string {
	if theirs == "" || theirs == "*" {
		return "<" + uri + ">"
	}
	return sip.WithURI(theirs, uri)
}
