package sip

import (
	"errors"
	"strings"
)

// maxParams bounds the parameters of one value: reading them is linear, but every look-up walks them.
const maxParams = 64

var (
	errTooManyParams = errors.New("too many parameters")
	errQuote         = errors.New("quoted string does not end")
	errParamName     = errors.New("parameter without a name")
)

// Param is one parameter of a URI, Via or name-addr. Value is as on the wire, quotes included.
type Param struct {
	Name, Value string
	HasValue    bool // ";lr=" and ";lr" differ
}

// Params are parameters in their order.
type Params []Param

// Get gives the value of a parameter, unquoted, and whether it is there at all. Case does not count.
func (p Params) Get(name string) (string, bool) {
	for i := range p {
		if len(p[i].Name) == len(name) && strings.EqualFold(p[i].Name, name) {
			return Unquote(p[i].Value), true
		}
	}
	return "", false
}

// Has tells whether a parameter is there.
func (p Params) Has(name string) bool {
	_, ok := p.Get(name)
	return ok
}

// String writes each parameter with its leading semicolon.
func (p Params) String() string {
	var b strings.Builder
	for _, param := range p {
		b.WriteByte(';')
		b.WriteString(param.Name)
		if param.HasValue {
			b.WriteByte('=')
			b.WriteString(param.Value)
		}
	}
	return b.String()
}

// ParseParams reads "a=1;b;c="x"", with or without a leading semicolon. White space around ; and = is legal
// (RFC 3261 §25.1); an empty parameter is passed over.
func ParseParams(s string) (Params, error) { return parseParams(s, nil) }

// parseParams is ParseParams with room for some, which is empty.
func parseParams(s string, room Params) (Params, error) {
	n, err := countParams(s)
	if n == 0 || err != nil {
		return nil, err
	}
	if n > cap(room) {
		room = make(Params, 0, n)
	}
	params := room[:0:n] // who appends to it gets another
	for more := true; more; {
		var field string
		if field, s, more, _ = cutParam(s); field != "" {
			name, value, has := strings.Cut(field, "=")
			params = append(params, Param{Name: trimLWS(name), Value: trimLWS(value), HasValue: has})
		}
	}
	return params, nil
}

// countParams counts parameters and sees that they can be read.
func countParams(s string) (n int, err error) {
	for more := true; more; {
		var field string
		if field, s, more, err = cutParam(s); err != nil {
			return 0, err
		}
		if field == "" {
			continue
		}
		if name, _, _ := strings.Cut(field, "="); trimLWS(name) == "" {
			return 0, errParamName
		}
		if n++; n > maxParams {
			return 0, errTooManyParams
		}
	}
	return n, nil
}

// cutParam takes the first parameter, trimmed, off a list of them; more tells whether a semicolon followed it.
func cutParam(s string) (field, rest string, more bool, err error) {
	i, err := nextParam(s)
	if err != nil {
		return "", "", false, err
	}
	if i == len(s) {
		return trimLWS(s), "", false, nil
	}
	return trimLWS(s[:i]), s[i+1:], true, nil
}

// nextParam gives the index of the next ; outside quoted strings, or len(s).
func nextParam(s string) (int, error) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			end, ok := skipQuoted(s, i)
			if !ok {
				return 0, errQuote
			}
			i = end - 1
		case ';':
			return i, nil
		}
	}
	return len(s), nil
}

// Unquote takes the quotes and backslashes off a quoted string; anything else comes back as it is.
func Unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Quote makes a quoted string of any text (RFC 3261 §25.1); CR and LF, which no header field may hold, become spaces.
func Quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\', 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r', '\n':
			b.WriteByte(' ')
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
