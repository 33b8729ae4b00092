package sip

import "strings"

// Header is one header field line: Name as spelled by its sender, Value unfolded and trimmed (RFC 3261 §7.3.1).
type Header struct{ Name, Value string }

// compact maps the one-letter forms of the IANA registry to the long ones; index is letter - 'a'.
var compact = [26]string{
	0:         "Accept-Contact",      // RFC 3841
	'b' - 'a': "Referred-By",         // RFC 3892
	'c' - 'a': "Content-Type",        // RFC 3261
	'd' - 'a': "Request-Disposition", // RFC 3841
	'e' - 'a': "Content-Encoding",    // RFC 3261
	'f' - 'a': "From",                // RFC 3261
	'i' - 'a': "Call-ID",             // RFC 3261
	'j' - 'a': "Reject-Contact",      // RFC 3841
	'k' - 'a': "Supported",           // RFC 3261
	'l' - 'a': "Content-Length",      // RFC 3261
	'm' - 'a': "Contact",             // RFC 3261
	'n' - 'a': "Identity-Info",       // RFC 4474
	'o' - 'a': "Event",               // RFC 6665
	'r' - 'a': "Refer-To",            // RFC 3515
	's' - 'a': "Subject",             // RFC 3261
	't' - 'a': "To",                  // RFC 3261
	'u' - 'a': "Allow-Events",        // RFC 6665
	'v' - 'a': "Via",                 // RFC 3261
	'x' - 'a': "Session-Expires",     // RFC 4028
	'y' - 'a': "Identity",            // RFC 8224
}

// LongName gives the long form of a compact field name ("v" → "Via"); any other name comes back as it is.
func LongName(name string) string {
	if len(name) != 1 {
		return name
	}
	c := name[0] | 0x20
	if c < 'a' || c > 'z' || compact[c-'a'] == "" {
		return name
	}
	return compact[c-'a']
}

// SameName tells whether two field names mean the same field: case does not count, compact forms equal the long ones.
func SameName(a, b string) bool {
	a, b = LongName(a), LongName(b)
	return a == b || len(a) == len(b) && strings.EqualFold(a, b)
}

// Is tells whether the field has this name, in either form.
func (h Header) Is(name string) bool { return SameName(h.Name, name) }

// usual are names as nearly everybody spells them. A message need not keep its own copy of each.
var usual = spellings(
	"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length", "Content-Type",
	"Record-Route", "Route", "Allow", "Supported", "Require", "User-Agent", "Server", "Expires", "Accept",
	"Allow-Events", "Session-Expires", "Min-SE", "P-Asserted-Identity", "Remote-Party-ID", "Privacy", "Diversion",
	"Reason", "Date", "Timestamp", "Event", "RSeq", "RAck", "Accept-Encoding", "Accept-Language",
	"Content-Disposition", "Proxy-Authorization", "Authorization",
)

func spellings(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, n := range names {
		m[n] = n
	}
	return m
}
