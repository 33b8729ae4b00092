package body

import (
	"strings"

	"sidetrack/internal/sip"
)

// Part is one piece of a body.
type Part struct {
	Headers     []sip.Header // MIME fields of the part, spelling kept; nil when the body is not a multipart
	ContentType string       // type/subtype in lower case; Mixed writes it as given, parameters allowed
	Disposition string       // type of Content-Disposition in lower case; Mixed writes it as given, parameters allowed
	Body        []byte       // aliases the message; not to be changed
}

// Parts gives the leaves of the body in order: one for a plain body, those of a nested multipart flattened, none for
// an empty body. It never fails: a multipart that cannot be taken apart is one part of its multipart type.
func Parts(m *sip.Message) []Part {
	if len(m.Body) == 0 {
		return nil
	}
	leaves, _ := scan(m)
	parts := make([]Part, len(leaves))
	for i, l := range leaves {
		parts[i] = l.part(m)
	}
	return parts
}

// Find gives the first part of that type/subtype that is not empty; case does not count.
func Find(m *sip.Message, contentType string) (Part, bool) {
	if len(m.Body) == 0 {
		return Part{}, false
	}
	leaves, _ := scan(m)
	for _, l := range leaves {
		if l.start < l.end && strings.EqualFold(l.contentType, contentType) {
			return l.part(m), true
		}
	}
	return Part{}, false
}

// Whole tells whether Parts, Find and Replace see all of a body. They do not where it has more parts or levels than are
// taken apart, or a multipart without delimiters.
func Whole(m *sip.Message) bool {
	if len(m.Body) == 0 {
		return true
	}
	_, short := scan(m)
	return !short
}

// part cuts the leaf out of the message.
func (l leaf) part(m *sip.Message) Part {
	p := Part{ContentType: l.contentType, Body: m.Body[l.start:l.end:l.end]}
	disposition := m.Get("Content-Disposition")
	if l.inner() {
		p.Headers = parseFields(m.Body[l.head:l.start])
		disposition = field(p.Headers, "Content-Disposition")
	}
	disposition, _, _ = strings.Cut(disposition, ";")
	p.Disposition = strings.ToLower(strings.TrimSpace(disposition))
	return p
}

func field(headers []sip.Header, name string) string {
	for _, h := range headers {
		if h.Is(name) {
			return h.Value
		}
	}
	return ""
}
