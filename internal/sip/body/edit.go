package body

import (
	"strconv"
	"strings"

	"sidetrack/internal/sip"
)

// Replace gives a copy of m in which the bytes of the first part of that type/subtype, empty ones passed over, are those that f makes of them.
// Every other byte of the body stays, preamble, boundaries and part fields included; only a Content-Length that a
// part itself carries is corrected. f must not change its argument. Without such a part the copy equals m.
func Replace(m *sip.Message, contentType string, f func([]byte) []byte) *sip.Message {
	out := m.Clone()
	if len(m.Body) == 0 {
		return out
	}
	for _, l := range scan(m) {
		if l.start < l.end && strings.EqualFold(l.contentType, contentType) {
			out.Body = l.splice(m.Body, f(m.Body[l.start:l.end:l.end]))
			break
		}
	}
	return out
}

// splice puts the leaf's new bytes in.
func (l leaf) splice(body, fresh []byte) []byte {
	out := make([]byte, 0, len(body)+len(fresh)-(l.end-l.start)+4*len(l.lengths))
	at := 0
	for _, pos := range l.lengths {
		end := pos
		for end < len(body) && body[end] >= '0' && body[end] <= '9' {
			end++
		}
		out = append(out, body[at:pos]...)
		old, err := strconv.Atoi(string(body[pos:end]))
		if err == nil {
			out = strconv.AppendInt(out, int64(max(0, old+len(fresh)-(l.end-l.start))), 10)
		} else {
			out = append(out, body[pos:end]...)
		}
		at = end
	}
	out = append(out, body[at:l.start]...)
	out = append(out, fresh...)
	return append(out, body[l.end:]...)
}
