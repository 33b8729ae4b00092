package trace

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// secrets are what nobody may read who may see a ladder: keys of media (RFC 4568,
// RFC 3830, k= of RFC 4566), the answers to challenges, from which weak
// passwords can be guessed, and the passwords of URIs. The first group of each is blackened.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?im)^a=crypto:.*?(inline:[^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:a=key-mgmt:|k=)([^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Proxy-)?Authorization[ \t]*:(?:[^\r\n]|\r?\n[ \t])*?\bresponse\s*=\s*"?([^",\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Proxy-)?Authorization[ \t]*:\s*(?:Basic|Bearer)\s+([^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Identity|y)[ \t]*:\s*([^;\r\n]+)`),
	regexp.MustCompile(`[sS][iI][pP][sS]?:[^\s:@<>"]+:([^\s<>";?]*)@`),
}

// persons are numbers and names of people: users of URIs, display names, names in the
// metadata (RFC 7865), users of answers to challenges and of o= lines, where phones put
// their numbers; and what they dial in INFO, which may be a card's number.
var persons = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:sips?|tel|im|pres):([^@;<>\s"&?]+)`),
	regexp.MustCompile(`(?im)^(?:From|f|To|t|Contact|m|P-[A-Za-z-]+|Remote-Party-ID|Diversion|History-Info|Refer-To|r|Referred-By|b|Reply-To)\s*:\s*([^<\r\n]+)<`),
	regexp.MustCompile(`(?is)<name\b[^>]*>([^<]+)<`),
	regexp.MustCompile(`(?im)^Subject\s*:\s*([^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Proxy-)?Authorization[ \t]*:(?:[^\r\n]|\r?\n[ \t])*?\busername\*?\s*=\s*"?([^",\r\n]+)`),
	regexp.MustCompile(`(?m)^o=([^ \r\n-][^ \r\n]*) `),
	regexp.MustCompile(`(?im)^Signal[ \t]*=[ \t]*([^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Content-Type|c)[ \t]*:[ \t]*application/dtmf[ \t]*(?:;[^\r\n]*)?\r?\n(?:[^\r\n]+\r?\n)*\r?\n([^\r\n]+)`),
}

// Clean blackens what nobody may read of a message. It returns raw itself where
// there is nothing of that kind.
func Clean(raw []byte) []byte {
	for rest := raw; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, newline)
		if suspect(line) {
			return blacken(raw, false)
		}
	}
	return raw
}

var newline = []byte("\n")

// openings are how lines begin that may hold a secret.
var openings = []string{"a=crypto", "a=key-mgmt", "k=", "authorization", "proxy-authorization", "identity", "y"}

// suspect tells of a line that it may hold a secret. Nearly all are known by their
// first octet: each message that is mirrored comes by here.
func suspect(line []byte) bool {
	if len(line) < 2 {
		return false
	}
	if signsIn(line) {
		return true
	}
	switch line[0] | 0x20 {
	case 'a', 'k', 'p', 'i', 'y':
	default:
		return false
	}
	return slices.ContainsFunc(openings, func(o string) bool {
		return len(line) >= len(o) && strings.EqualFold(string(line[:len(o)]), o)
	})
}

// signsIn tells of a line that a URI in it may have a password: sip:user:password@host.
func signsIn(line []byte) bool {
	at := bytes.IndexByte(line, '@') // most lines have none
	if at >= 0 {
		at = bytes.LastIndexByte(line, '@')
	}
	for at >= 0 {
		colon := bytes.IndexByte(line[:at], ':')
		if colon < 0 {
			return false
		}
		scheme := string(bytes.ToLower(line[max(colon-4, 0):colon]))
		line, at = line[colon+1:], at-colon-1
		if !strings.HasSuffix(scheme, "sip") && scheme != "sips" {
			continue
		}
		user := bytes.IndexAny(line, ":@<> \"")
		if user < 0 || line[user] != ':' {
			continue
		}
		if end := bytes.IndexAny(line[user+1:], "@<> \";?"); end >= 0 && line[user+1+end] == '@' {
			return true
		}
	}
	return false
}

// blacken replaces what must not be read by as many x, so that lengths stay true.
func blacken(b []byte, redact bool) []byte {
	patterns := secrets
	if redact {
		patterns = append(patterns[:len(patterns):len(patterns)], persons...)
	}
	out := b
	for _, p := range patterns {
		for _, at := range p.FindAllSubmatchIndex(out, -1) {
			if &out[0] == &b[0] {
				out = bytes.Clone(b)
			}
			for i := at[2]; i < at[3]; i++ {
				if c := out[i]; c != ' ' && c != '"' && c != '\r' && c != '\n' {
					out[i] = 'x'
				}
			}
		}
	}
	return out
}
