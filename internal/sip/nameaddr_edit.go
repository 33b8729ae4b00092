package sip

import "strings"

// WithURI gives the name-addr value with only its URI replaced; brackets are added when the new URI needs them.
// A value in which no URI can be found is replaced as a whole.
func WithURI(value, uri string) string {
	at, err := locate(value)
	if err != nil {
		return "<" + uri + ">"
	}
	if !at.bracketed && strings.ContainsAny(uri, ";?,") {
		uri = "<" + uri + ">"
	}
	return value[:at.uri] + uri + value[at.uriEnd:]
}

// WithTag gives the From or To value with its tag set, or removed if tag is "". White space, the spelling of ;TAG=
// and everything else stay; a second tag parameter goes. A value that cannot be read comes back as it is.
func WithTag(value, tag string) string {
	at, err := locate(value)
	if err != nil {
		return value
	}
	var b strings.Builder
	b.Grow(len(value) + len(";tag=") + len(tag))
	b.WriteString(value[:at.params])
	done := tag == ""
	for rest := value[at.params:]; rest != ""; {
		end, err := nextParam(rest[1:])
		if err != nil {
			return value
		}
		field := rest[:1+end] // with its semicolon
		rest = rest[1+end:]
		name, old, has := strings.Cut(field[1:], "=")
		switch {
		case !strings.EqualFold(trimLWS(name), "tag"):
			b.WriteString(field)
		case done:
		default:
			writeTag(&b, name, old, has, tag)
			done = true
		}
	}
	if !done {
		b.WriteString(";tag=")
		b.WriteString(tag)
	}
	return b.String()
}

// writeTag writes a tag parameter with the white space that the old one had.
func writeTag(b *strings.Builder, name, old string, has bool, tag string) {
	b.WriteByte(';')
	if !has {
		name = strings.TrimRight(name, " \t")
	}
	b.WriteString(name)
	b.WriteByte('=')
	trimmed := trimLWS(old)
	if trimmed == "" {
		b.WriteString(tag)
		return
	}
	i := strings.Index(old, trimmed)
	b.WriteString(old[:i])
	b.WriteString(tag)
	b.WriteString(old[i+len(trimmed):])
}
