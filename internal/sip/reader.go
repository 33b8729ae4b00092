package sip

import (
	"bytes"
	"strings"
	"sync"

	sipgo "github.com/emiago/sipgo/sip"
)

// reader has sipgo's parser take field lines apart into names and values, and interpret none: its typed fields normalise
// display names, brackets, compact names and white space, and lose parameters on the way. A reader is kept for the next
// message, so that a line costs its value and nothing else.
type reader struct {
	usual  sipgo.HeadersParser // of fields whose name is spelled as usual: the text of the value is all that is wanted
	value  text
	parsed []sipgo.Header // one, used again for each line
}

// generic is the parser of all other fields.
var generic = sipgo.HeadersParser{}

var readers = sync.Pool{New: func() any {
	r := &reader{usual: make(sipgo.HeadersParser, len(usual))}
	take := func(_ []byte, value string) (sipgo.Header, error) {
		r.value.of = value
		return &r.value, nil
	}
	for name := range usual {
		r.usual[strings.ToLower(name)] = take
	}
	return r
}}

// release gives r back; it keeps no message alive.
func (r *reader) release() {
	r.value.of = ""
	clear(r.parsed)
	readers.Put(r)
}

// text is the value of a field, as the parser hands it over.
type text struct {
	sipgo.Header // nil: nobody asks for more
	of           string
}

// Value gives the value as it is.
func (t *text) Value() string { return t.of }

// read reads one field line.
func (r *reader) read(line []byte) (h Header, err error) {
	name, _, _ := bytes.Cut(line, []byte(":"))
	known, ok := usual[string(name)]
	parser := generic
	if ok {
		parser = r.usual
	}
	if r.parsed, err = parser.ParseHeader(r.parsed[:0], line); err != nil {
		return Header{}, err
	}
	if !ok {
		known = r.parsed[0].Name()
	}
	return Header{Name: known, Value: r.parsed[0].Value()}, nil
}
