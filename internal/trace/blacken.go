package trace

import (
	"bytes"
	"regexp"
)

// secrets are what nobody may read who may see a ladder: keys of media (RFC 4568,
// RFC 3830, k= of RFC 4566) and the answers to challenges, from which weak
// passwords can be guessed. The first group of each is blackened.
var secrets = []*regexp.Regexp{
	regexp.MustCompile(`(?im)^a=crypto:.*?(inline:[^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:a=key-mgmt:|k=)([^\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Proxy-)?Authorization\s*:[^\r\n]*?\bresponse\s*=\s*"?([^",\r\n]+)`),
	regexp.MustCompile(`(?im)^(?:Proxy-)?Authorization\s*:\s*(?:Basic|Bearer)\s+([^\r\n]+)`),
	regexp.MustCompile(`(?im)^Identity\s*:\s*([^;\r\n]+)`),
}

// persons are numbers and names of people: users of URIs, display names, names
// in the metadata (RFC 7865).
var persons = []*regexp.Regexp{
	regexp.MustCompile(`(?i)\b(?:sips?|tel|im|pres):([^@;<>\s"&?]+)`),
	regexp.MustCompile(`(?im)^(?:From|f|To|t|Contact|m|P-[A-Za-z-]+|Remote-Party-ID|Diversion|History-Info|Refer-To|r|Referred-By|b|Reply-To)\s*:\s*([^<\r\n]+)<`),
	regexp.MustCompile(`(?is)<name\b[^>]*>([^<]+)<`),
	regexp.MustCompile(`(?im)^Subject\s*:\s*([^\r\n]+)`),
}

// Clean blackens what nobody may read of a message. It returns raw itself where
// there is nothing of that kind.
func Clean(raw []byte) []byte {
	if !suspect.Match(raw) {
		return raw
	}
	return blacken(raw, false)
}

// suspect are words without which there is no secret.
var suspect = regexp.MustCompile(`(?i)a=crypto|a=key-mgmt|\nk=|authorization|identity`)

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
