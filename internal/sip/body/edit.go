package body

import (
	"slices"
	"strconv"
	"strings"

	"sidetrack/internal/sip"
)

// Replace gives m another body, in which the bytes of each part of that type/subtype, empty ones passed over, are those that
// f makes of them. Every other byte of the body stays, preamble, boundaries and part fields included; only a Content-Length
// that a part itself carries is corrected. f must not change its argument. Without such a part m stays as it is.
func Replace(m *sip.Message, contentType string, f func([]byte) []byte) {
	if len(m.Body) == 0 {
		return
	}
	var edits []edit
	leaves, _ := scan(m)
	for _, l := range leaves {
		if l.start == l.end || !strings.EqualFold(l.contentType, contentType) {
			continue
		}
		fresh := f(m.Body[l.start:l.end:l.end])
		if !l.inner() {
			m.Body = fresh
			return
		}
		edits = append(edits, edit{at: l.start, end: l.end, fresh: fresh})
		for _, at := range l.lengths {
			edits = lengthen(edits, m.Body, at, len(fresh)-(l.end-l.start))
		}
	}
	if len(edits) > 0 {
		m.Body = splice(m.Body, edits)
	}
}

// edit puts fresh bytes in the place of body[at:end]; number is what they say where
// they are a length.
type edit struct {
	at, end int
	fresh   []byte
	number  int
}

// lengthen adds to the number that stands at a place.
func lengthen(edits []edit, body []byte, at, by int) []edit {
	i := slices.IndexFunc(edits, func(e edit) bool { return e.at == at })
	if i < 0 {
		e := edit{at: at, end: at}
		for e.end < len(body) && body[e.end] >= '0' && body[e.end] <= '9' {
			e.end++
		}
		old, err := strconv.Atoi(string(body[at:e.end]))
		if err != nil {
			return edits
		}
		e.number = old
		edits, i = append(edits, e), len(edits)
	}
	e := &edits[i]
	e.number += by
	e.fresh = strconv.AppendInt(e.fresh[:0], int64(max(0, e.number)), 10)
	return edits
}

// splice makes the edits, which do not overlap.
func splice(body []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.at - b.at })
	n := len(body)
	for _, e := range edits {
		n += len(e.fresh) - (e.end - e.at)
	}
	out, at := make([]byte, 0, n), 0
	for _, e := range edits {
		out = append(append(out, body[at:e.at]...), e.fresh...)
		at = e.end
	}
	return append(out, body[at:]...)
}
