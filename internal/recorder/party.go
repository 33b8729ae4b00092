package recorder

import (
	"net/netip"
	"strings"

	"sidetrack/metadata"
)

// partyOf is a participant as people read and type it.
func partyOf(id metadata.NameID) Party { return Party{AOR: bracketed(id.AOR), Name: id.Name} }

// bracketed is an address of record with the host in square brackets, if it is an IPv6
// address: in the metadata, where an aor is of the type anyURI, these are escaped.
func bracketed(aor string) string {
	before, rest, open := strings.Cut(aor, "%5B")
	host, after, closed := strings.Cut(rest, "%5D")
	if !open || !closed || !strings.HasSuffix(before, "@") && !strings.HasSuffix(before, ":") {
		return aor
	}
	if a, err := netip.ParseAddr(host); err != nil || !a.Is6() {
		return aor
	}
	return before + "[" + host + "]" + after
}
