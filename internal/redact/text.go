package redact

import (
	"regexp"
	"strings"
)

// mask stands for what was left out.
const mask = "***"

// kept is how many digits at the end of a number stay; of one with fewer than
// enough digits nothing does.
const (
	kept   = 2
	enough = 5
)

// spots are what is masked and what only looks like it, in the order in which
// they are tried at a place:
//
//  1. the user of a SIP URI, its password and parameters included
//  2. the rest of a tel URI, up to its parameters
//  3. a UUID, which stays
//  4. a date, which stays
//  5. a number with a leading + or 0 or bracket, perhaps in groups
//  6. a run of six digits or more
var spots = regexp.MustCompile(`(?i)` +
	`\b(?:sips?):(?P<user>[^@\s<>"]+)@` +
	`|\btel:(?P<tel>[^;>\s"<,]+)` +
	`|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` +
	`|[0-9]{4}-[0-9]{2}-[0-9]{2}` +
	`|(?P<grouped>(?:\+|%2b|\(|\b0)[0-9][0-9 ()/-]{3,}[0-9])` +
	`|(?P<run>[0-9]{6,})`)

// groups are the parts of a spot that are masked.
var groups = []int{spots.SubexpIndex("user"), spots.SubexpIndex("tel"), spots.SubexpIndex("grouped"), spots.SubexpIndex("run")}

// Text masks the numbers within s, and the passwords.
func Text(s string) string {
	s = Passwords(s)
	if !strings.ContainsAny(s, "0123456789:") {
		return s
	}
	var out strings.Builder
	done := 0
	for _, at := range spots.FindAllStringSubmatchIndex(s, -1) {
		for _, g := range groups {
			from, to := at[2*g], at[2*g+1]
			if from < 0 || g == groups[3] && within(s, from, to) {
				continue
			}
			out.WriteString(s[done:from])
			out.WriteString(masked(s[from:to]))
			done = to
		}
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// within tells that a run of digits is part of a word, such as an identifier.
func within(s string, from, to int) bool {
	return from > 0 && wordly(s[from-1]) || to < len(s) && wordly(s[to])
}

func wordly(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// masked is what is shown of a number.
func masked(s string) string {
	s, _, _ = strings.Cut(s, ":") // a password
	s, _, _ = strings.Cut(s, ";")
	digits := 0
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if n := len(s); digits >= enough && number(s[n-kept:]) {
		return mask + s[n-kept:]
	}
	return mask
}

func number(s string) bool { return strings.Trim(s, "0123456789") == "" }
