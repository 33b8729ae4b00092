package metadata

import (
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds on what one value from the call may occupy in a document, in bytes: a
// display name must not blow up each message to the recorder.
const (
	maxText = 512
	maxAOR  = 1024
)

// clean makes any string fit for XML 1.0 §2.2 and for one line: what is not
// UTF-8 becomes U+FFFD, line breaks and tabs become blanks, other control
// characters and what XML forbids are left out, and the rest is cut to maxText.
func clean(s string) string {
	if plain(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r == '\u0085', r == '\u2028':
			return ' '
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0xfffe, r == 0xffff:
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(cutBytes(s, maxText))
}

// plain reports whether clean would change nothing, for most strings.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if inside := i > 0 && i < len(s)-1; s[i] < 0x20 || s[i] == ' ' && !inside || s[i] > 0x7e {
			return false
		}
	}
	return len(s) <= maxText
}

// cutBytes cuts valid UTF-8 to at most n bytes, between characters.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func formatTime(t time.Time) string { return string(appendTime(nil, t)) }

// appendTime writes a time by RFC 3339 with milliseconds; always in UTC (RFC 7865 §6.9).
func appendTime(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(b, time.RFC3339)
	ms := t.Nanosecond() / 1e6
	return append(b[:len(b)-1], '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z')
}

var (
	schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:.`)
	hostPattern   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+\.?$`)
	numberPattern = regexp.MustCompile(`^\+?[0-9][0-9().-]*$`)
)

// canonicalAOR makes an address of record of whatever a From or To held: a URI
// in which everything that a URI does not allow is percent-encoded (RFC 3986
// §2; RFC 7865 §6.5.1 has the type anyURI). Square brackets are encoded too:
// outside of "//" they are no part of a URI, and validators refuse them.
func canonicalAOR(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	switch {
	case s == "":
		return anonymous
	case knownScheme(s):
	case isHost(s):
		return cutBytes(s, maxAOR)
	case numberPattern.MatchString(s):
		s = "tel:" + s
	case strings.Contains(s, "@"):
		s = "sip:" + s
	default: // a display name, or nonsense: keep it readable, as a user
		return "sip:" + cutEscaped(escapeURI(s, "@:;?"), maxText) + "@unknown.invalid"
	}
	if scheme, rest, _ := strings.Cut(s, ":"); strings.HasPrefix(rest, "//") { // no authority: these schemes have none
		s = scheme + ":%2F%2F" + rest[2:]
	}
	return cutEscaped(escapeURI(s, ""), maxAOR)
}

// knownScheme keeps "10.0.0.1:5060" and "Smith: Alice" from being taken for
// URIs of the scheme in front of the colon.
func knownScheme(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel", "im", "pres", "h323", "xmpp", "mailto", "urn":
		return rest != ""
	}
	return false
}

// isHost reports whether s is a domain name or an IPv4 address. A numeric IPv6
// address is none: its colons make it no URI.
func isHost(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4() || hostPattern.MatchString(s)
}

// escapeURI percent-encodes the bytes that may not stand in a URI, and those in
// also. An escape that is there already stays.
func escapeURI(s, also string) string {
	const hex = "0123456789ABCDEF"
	var b []byte
	last := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; !uriByte(s, i) || strings.IndexByte(also, c) >= 0 {
			b = append(append(b, s[last:i]...), '%', hex[c>>4], hex[c&15])
			last = i + 1
		}
	}
	if last == 0 {
		return s // like most addresses
	}
	return string(append(b, s[last:]...))
}

// uriByte reports whether s[i] may stand in a URI as it is.
func uriByte(s string, i int) bool {
	c := s[i]
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	case c == '%':
		return i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
	}
	return strings.IndexByte("-._~!$&'()*+,;=:@/?", c) >= 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// cutEscaped cuts a URI to at most n bytes, not within an escape.
func cutEscaped(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[:n]
	if i := strings.LastIndexByte(s, '%'); i > n-3 {
		s = s[:i]
	}
	return s
}

// validAOR reports whether s may be an address of record: a URI with a scheme,
// a domain name or an IP address (RFC 7865 §6.5.1).
func validAOR(s string) bool {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return true
	}
	uri := strings.NewReplacer("[", "", "]", "").Replace(s) // of a numeric IPv6 host, harmless
	return isHost(s) || schemePattern.MatchString(s) && escapeURI(uri, "") == uri
}

var sessionIDPattern = regexp.MustCompile(`^([0-9a-f]{32})\s*;\s*remote=([0-9a-f]{32})(\s*;.*)?$`)

// canonicalSessionID is the RFC 7989 value "local;remote=…" without further
// parameters, "" when s is none. A Call-ID in this place would be a lie that
// many clients tell.
func canonicalSessionID(s string) string {
	if s == "" {
		return ""
	}
	m := sessionIDPattern.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return ""
	}
	return m[1] + ";remote=" + m[2]
}
