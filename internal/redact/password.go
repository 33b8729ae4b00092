package redact

import (
	"regexp"
	"strings"
)

// password is that of a URI within a text: in the user part of a SIP one (RFC 3261 §19.1.1), or of one with an
// authority (RFC 3986 §3.2.1).
var password = regexp.MustCompile(`(?i)\b(?:(sips?:[^\s:@<>"]+):[^\s<>";?]*@|([a-z][a-z0-9+.-]*://[^\s:@/?<>"]+):[^\s@/?<>"]*@)`)

// Passwords hides the passwords of the URIs within a text: sip:user:***@host.
func Passwords(s string) string {
	if strings.IndexByte(s, '@') < 0 {
		return s
	}
	return password.ReplaceAllString(s, "${1}${2}:"+mask+"@")
}
