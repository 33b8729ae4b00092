package sip

import (
	"strconv"
	"strings"
)

// CSeq is the value of a CSeq field (RFC 3261 §20.16).
type CSeq struct {
	Num    uint32
	Method string
}

// maxCSeq is the highest number that RFC 3261 §8.1.1.5 allows.
const maxCSeq = 1<<31 - 1

// essentials are values that Parse has read for its check and that every message is asked for again. Each is valid
// as long as the field still has the value it was read from, so that editing Headers needs no notice, and nothing
// but Parse writes them.
type essentials struct {
	fromValue, toValue, viaValue string
	from, to                     NameAddr
	via                          Via
	params                       [4]Param // theirs, as many as there mostly are
}

// Where in params whose are.
const (
	viaParams, fromParam, toParam = 2, viaParams + 1, fromParam + 1
)

// CallID gives the Call-ID.
func (m *Message) CallID() string { return m.Get("Call-ID") }

// CSeq gives sequence number and method; zero if the field is missing or wrong.
func (m *Message) CSeq() CSeq {
	c, _ := parseCSeq(m.Get("CSeq"))
	return c
}

func parseCSeq(s string) (CSeq, bool) {
	i := indexLWS(s)
	if i < 0 {
		return CSeq{}, false
	}
	num, method := s[:i], trimLWS(s[i:])
	if !isDigits(num) || !isToken(method) {
		return CSeq{}, false
	}
	n, err := strconv.ParseUint(num, 10, 32)
	if err != nil || n > maxCSeq {
		return CSeq{}, false
	}
	return CSeq{Num: uint32(n), Method: method}, true
}

// String writes the value of a CSeq field.
func (c CSeq) String() string {
	var room [32]byte
	b := append(strconv.AppendUint(room[:0], uint64(c.Num), 10), ' ')
	return string(append(b, c.Method...))
}

// From gives the From field; zero if it is missing or wrong.
func (m *Message) From() NameAddr {
	value := m.Get("From")
	if p := m.parsed; p != nil && value == p.fromValue {
		return p.from
	}
	n, _ := ParseNameAddr(value)
	return n
}

// To gives the To field; zero if it is missing or wrong.
func (m *Message) To() NameAddr {
	value := m.Get("To")
	if p := m.parsed; p != nil && value == p.toValue {
		return p.to
	}
	n, _ := ParseNameAddr(value)
	return n
}

// FromTag gives the tag of From, "" if there is none (RFC 2543 peers).
func (m *Message) FromTag() string { return m.From().Tag() }

// ToTag gives the tag of To, "" if there is none.
func (m *Message) ToTag() string { return m.To().Tag() }

// TopVia gives the first Via value; zero if it is missing or wrong.
func (m *Message) TopVia() Via {
	value := m.Get("Via")
	if p := m.parsed; p != nil && value == p.viaValue {
		return p.via
	}
	first, _, _ := cutList(value)
	v, _ := ParseVia(first)
	return v
}

// Restamp gives the first Via field another value, as who has received m and shares it with nobody does.
func (m *Message) Restamp(value string) {
	i := m.index("Via")
	if i < 0 {
		return
	}
	m.Headers[i].Value = value
	if p := m.parsed; p != nil {
		p.via, p.viaValue = m.TopVia(), value
	}
}

// Contact gives the first Contact; false if there is none that can be read, or if it is "*".
func (m *Message) Contact() (NameAddr, bool) {
	for rest, more := m.Get("Contact"), true; more; {
		var first string
		if first, rest, more = cutList(rest); first == "" {
			continue
		}
		if first == "*" {
			return NameAddr{}, false
		}
		n, err := ParseNameAddr(first)
		return n, err == nil
	}
	return NameAddr{}, false
}

// ContentType gives type/subtype in lower case without parameters, "" if there is none.
func (m *Message) ContentType() string { return MediaType(m.Get("Content-Type")) }

// MediaType gives the type/subtype of a Content-Type value in lower case, without parameters and white space.
func MediaType(value string) string {
	value, _, _ = strings.Cut(value, ";")
	main, sub, ok := strings.Cut(value, "/")
	if !ok {
		return strings.ToLower(trimLWS(value))
	}
	if main, sub = trimLWS(main), trimLWS(sub); len(main)+len("/")+len(sub) == len(value) { // no white space: nearly always
		return strings.ToLower(value)
	}
	return strings.ToLower(main) + "/" + strings.ToLower(sub)
}
