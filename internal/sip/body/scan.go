package body

import (
	"bytes"
	"strings"

	"sidetrack/internal/sip"
)

// Bounds of what is taken apart; a real body has two to five parts in one or two levels.
const (
	maxParts = 64
	maxDepth = 4
)

// leaf is a part that is not a multipart itself, as offsets into the message body.
type leaf struct {
	contentType string
	head        int   // start of its MIME fields; equals start when it has none
	start, end  int   // its bytes
	lengths     []int // where the values of Content-Length fields stand that count these bytes, inner and outer parts'
	nested      bool
}

// inner tells whether the leaf stands within a multipart, as opposed to being the whole body.
func (l leaf) inner() bool { return l.nested }

// scanner walks a body once per level.
type scanner struct {
	body   []byte
	leaves []leaf
	short  bool // something has not been taken apart
}

// scan gives the leaves of a body; short tells that not all of it has been taken apart.
func scan(m *sip.Message) (leaves []leaf, short bool) {
	s := scanner{body: m.Body}
	whole := leaf{contentType: m.ContentType(), end: len(m.Body)}
	s.entity(whole, m.Get("Content-Type"), 0)
	return s.leaves, s.short
}

// entity adds one entity: its parts if it is a multipart that can be taken apart, else itself.
func (s *scanner) entity(l leaf, contentType string, depth int) {
	if strings.HasPrefix(l.contentType, "multipart/") {
		if depth < maxDepth && len(s.leaves) < maxParts {
			if boundary := boundaryOf(contentType); boundary != "" && s.multipart(l, boundary, depth) {
				return
			}
		}
		s.short = true
	}
	s.leaves = append(s.leaves, l)
}

// multipart adds the parts between the delimiters of outer; false if there is no delimiter at all.
func (s *scanner) multipart(outer leaf, boundary string, depth int) bool {
	at := s.delimiter(outer.start, outer.end, boundary)
	if !at.found {
		return false
	}
	for !at.last && len(s.leaves) < maxParts {
		next := s.delimiter(at.after, outer.end, boundary)
		s.part(leaf{head: at.after, end: next.before, lengths: outer.lengths, nested: true}, depth)
		if !next.found {
			break // the final delimiter is missing: what is there counts
		}
		at = next
	}
	s.short = s.short || !at.last && len(s.leaves) >= maxParts
	return true
}

// part reads the MIME fields of an entity that stands in head..end, then adds it.
func (s *scanner) part(l leaf, depth int) {
	l.start = l.head + fieldsEnd(s.body[l.head:l.end])
	fields := parseFields(s.body[l.head:l.start])
	contentType := field(fields, "Content-Type")
	if contentType == "" {
		contentType = "text/plain" // RFC 2046 §5.1
	}
	l.contentType = sip.MediaType(contentType)
	if at := lengthValue(s.body[l.head:l.start]); at >= 0 {
		l.lengths = append(l.lengths[:len(l.lengths):len(l.lengths)], l.head+at)
	}
	s.entity(l, contentType, depth+1)
}

// delimiterAt is one delimiter line: the part ahead ends at before, the next begins at after.
type delimiterAt struct {
	found, last   bool
	before, after int
}

// delimiter finds the next delimiter line in from..to. The line break ahead of it belongs to it (RFC 2046 §5.1.1);
// bare LF is taken as a line break too. Without one, before is the end.
func (s *scanner) delimiter(from, to int, boundary string) delimiterAt {
	for at := from; at < to; {
		line, next := at, to
		if i := bytes.IndexByte(s.body[at:to], '\n'); i >= 0 {
			next = at + i + 1
		}
		if last, ok := isDelimiter(s.body[line:next], boundary); ok {
			return delimiterAt{found: true, last: last, before: s.beforeBreak(from, line), after: next}
		}
		at = next
	}
	return delimiterAt{before: to, after: to}
}

// beforeBreak steps back over the line break that ends at line.
func (s *scanner) beforeBreak(from, line int) int {
	if line > from && s.body[line-1] == '\n' {
		line--
		if line > from && s.body[line-1] == '\r' {
			line--
		}
	}
	return line
}

// isDelimiter tells whether a line is "--boundary" or, as the last one, "--boundary--", with white space after it.
func isDelimiter(line []byte, boundary string) (last, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("--"))
	if !ok {
		return false, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(boundary)); !ok {
		return false, false
	}
	rest = bytes.TrimRight(rest, " \t\r\n")
	return string(rest) == "--", len(rest) == 0 || string(rest) == "--"
}

// boundaryOf gives the boundary parameter of a Content-Type value.
func boundaryOf(contentType string) string {
	_, params, _ := strings.Cut(contentType, ";")
	parsed, err := sip.ParseParams(params)
	if err != nil {
		return ""
	}
	boundary, _ := parsed.Get("boundary")
	return boundary
}
