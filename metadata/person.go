package metadata

import (
	"slices"
	"strings"
)

// anonymous is the address of who has none (RFC 3323 §4.1.1.3), as we write it.
const anonymous = "sip:anonymous@anonymous.invalid"

// others are the further addresses of a party, as a document has them.
func others(p Party) []NameID {
	var out []NameID
	for _, n := range p.Others {
		n = NameID{AOR: canonicalAOR(n.AOR), Name: clean(n.Name), Lang: n.Lang}
		if n.AOR != canonicalAOR(p.AOR) && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// samePerson reports whether two stays on one side of a call are of the same
// person. Servers on the way spell one address in several ways: with another
// host, with or without parameters, as a SIP URI or as a number. The user part
// decides, for within one leg of one call it is the most that all of them keep.
func samePerson(a, b Member) bool {
	if a.AOR == b.AOR {
		return true
	}
	known := keys(a)
	return slices.ContainsFunc(keys(b), func(k string) bool { return slices.Contains(known, k) })
}

func keys(m Member) []string {
	out := []string{personKey(m.AOR)}
	for _, n := range m.Others {
		out = append(out, personKey(n.AOR))
	}
	return slices.DeleteFunc(out, func(k string) bool { return k == "" })
}

var separators = strings.NewReplacer("-", "", ".", "", "(", "", ")", "")

// personKey is the user or number of an address; "" where it names nobody.
func personKey(aor string) string {
	scheme, rest, _ := strings.Cut(aor, ":")
	user, host, at := strings.Cut(rest, "@")
	if !at && !strings.EqualFold(scheme, "tel") {
		return "" // a host alone
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, ":") // a password
	if host == "unknown.invalid" || strings.EqualFold(user, "anonymous") || user == "" {
		return ""
	}
	if numberPattern.MatchString(user) {
		return separators.Replace(user)
	}
	return user
}

// person makes the identifier of a new participant. Two that look the same in
// one call, and those who hide, are told apart all the same.
func (b *Builder) person(m Member) ID {
	key := personKey(m.AOR)
	if b.cfg.Person == nil || key == "" {
		return b.cfg.IDs().ID()
	}
	id := b.cfg.Person(key).ID()
	for _, known := range b.state.Members {
		if known.ID == id {
			return b.cfg.IDs().ID()
		}
	}
	return id
}
